import type { KoboldFaultName } from './kobold-script.ts'

export type GenerationEndpoint = 'chat' | 'text' | 'native'

/**
 * - `waiting`: in the queue, not a byte sent
 * - `running`: the model works on it (or it hangs by a fault)
 * - `finished`: answered to the end, refusals included; also when it was generated for nobody
 * - `aborted`: stopped by an abort; it was answered with the text so far
 * - `dropped`: cut: the caller was seen to be gone, the server was killed, or a fault cut it
 */
export type CallState = 'waiting' | 'running' | 'finished' | 'aborted' | 'dropped'

/** One call for a generation as the simulator saw it. Live: it changes while the call runs. Times are `performance.now()` milliseconds. */
export interface RecordedCall {
  /** Counts from 1. */
  readonly id: number
  readonly endpoint: GenerationEndpoint
  readonly stream: boolean
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The parsed JSON body; undefined if it was not JSON. */
  readonly body: unknown
  readonly genkey: string | undefined
  readonly startedAt: number
  runningAt?: number
  endedAt?: number
  state: CallState
  /** The status that was sent, if any. */
  status?: number
  /** The fault it met. */
  fault?: KoboldFaultName
  /** Tokens of the prompt that were not kept from an earlier one. What no real server says, but its console. */
  promptTokensRead?: number
  tokensGenerated: number
  /** When the caller closed its connection before the answer was complete. */
  clientGoneAt?: number
}

/** Any request, probes and aborts included. */
export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly at: number
}

/** An abort as it was answered. `success` and `done` are strings on the wire. */
export interface RecordedAbort {
  readonly genkey: string
  readonly at: number
  readonly result: { readonly success: 'true' | 'false'; readonly done: 'true' | 'false' }
}
