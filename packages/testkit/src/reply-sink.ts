/** A whole answer. `length: false`: it ends with the connection, as KoboldCPP's errors do. */
export interface WholeReply {
  readonly status: number
  readonly statusText?: string
  readonly contentType: string
  readonly body: string
  readonly length: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Where an answer goes: a socket, or a mocked response. The simulator itself does not know which. */
export interface ReplySink {
  /** Sends the whole answer and ends. */
  reply(reply: WholeReply): void
  /** Sends the head of a stream. */
  startStream(contentType: string): void
  write(text: string): void
  /** A clean end (FIN). Without a byte before it, an empty reply. */
  end(): void
  /** Sends a head that promises the whole body, and only half of it. */
  replyHalf(reply: WholeReply): void
  /** Cuts the connection with a reset. */
  reset(): void
  /** Calls back once if the caller leaves before the answer has ended; at once if it has left already. */
  onGone(listener: () => void): void
}
