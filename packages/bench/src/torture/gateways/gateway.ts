import type { DoorName } from './doors.ts'

/** Which of the two simulated servers a call is for. */
export type BackendKind = 'openai' | 'kobold'

export const MODELS: Readonly<Record<BackendKind, string>> = {
  openai: 'torture-openai',
  kobold: 'torture-kobold',
}

/** How one of the servers is asked through a gateway. */
export interface Target {
  readonly model: string
  readonly headers: Record<string, string>
  /** Default: that of the gateway. */
  readonly url?: string
}

export interface Gateway {
  readonly name: string
  readonly version: string
  /** The API by which it is asked. Default: OpenAI's chat. */
  readonly door?: DoorName
  /** Where it speaks that: `/v1` comes after it. */
  readonly url: string
  /** How the backend is chosen. Undefined: it is not set up for it. */
  target(backend: BackendKind): Target | undefined
  /** Kills it (`kill -9`) and starts it again. Absent: nobody may. */
  killAndRestart?(): Promise<void>
}
