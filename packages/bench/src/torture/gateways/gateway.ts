import type { DoorName } from './doors.ts'

/** Which of the two simulated servers a call is for. */
export type BackendKind = 'openai' | 'kobold'

export const MODELS: Readonly<Record<BackendKind, string>> = {
  openai: 'torture-openai',
  kobold: 'torture-kobold',
}

export interface Gateway {
  readonly name: string
  readonly version: string
  /** The API by which it is asked. Default: OpenAI's chat. */
  readonly door?: DoorName
  /** Where it speaks that: `/v1` comes after it. */
  readonly url: string
  /** How the backend is chosen. Undefined: it is not set up for it. */
  target(
    backend: BackendKind,
  ): { readonly model: string; readonly headers: Record<string, string> } | undefined
  /** Kills it (`kill -9`) and starts it again. Absent: nobody may. */
  killAndRestart?(): Promise<void>
}
