/** One request, as it is sent again and again. */
export interface Call {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** How a server is started: arguments of Node, and what it needs in its environment. */
export interface Program {
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Keep what it prints in a file, as an operator would, instead of throwing it away. */
  readonly keepsLog?: boolean
  /** Opens a channel for messages between the processes. */
  readonly withChannel?: boolean
}

export interface ProgramPlace {
  readonly port: number
  readonly backendUrl: string
  /** For files it needs; removed at the end. */
  readonly folder: string
}

/** Something that stands between a client and the backend, and how it is asked. */
export interface Contender {
  readonly name: string
  /** Absent: the client asks the backend itself. */
  readonly program?: (place: ProgramPlace) => Program
  /** Answers 200 as soon as it serves. */
  readonly healthPath: string
  readonly plain: Call
  /** Absent: it cannot stream. */
  readonly stream?: Call
}
