import type { KoboldFaultName } from './kobold-script.ts'

/** `/v1/chat/completions`, `/v1/completions`, or KoboldCPP's own `/api/…/generate`. */
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
  /** The kind of its address. */
  readonly endpoint: GenerationEndpoint
  /** Its caller wants the text as it comes. */
  readonly stream: boolean
  /** Of HTTP. */
  readonly method: string
  /** As it was sent. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The parsed JSON body; undefined if it was not JSON. */
  readonly body: unknown
  /** The key by which it can be aborted. Undefined: it has none. */
  readonly genkey: string | undefined
  /** When it came in. */
  readonly startedAt: number
  /** When the model began with it. Absent: it waits. */
  runningAt?: number
  /** Absent: it goes on. */
  endedAt?: number
  /** How far it has come, or how it ended. */
  state: CallState
  /** The status that was sent, if any. */
  status?: number
  /** The fault it met. */
  fault?: KoboldFaultName
  /** Tokens of the prompt that were not kept from an earlier one. What no real server says, but its console. */
  promptTokensRead?: number
  /** Those after its caller had gone included. */
  tokensGenerated: number
  /** When the caller closed its connection before the answer was complete. */
  clientGoneAt?: number
}

/** Any request, probes and aborts included. */
export interface RecordedRequest {
  /** Of HTTP. */
  readonly method: string
  /** As it was sent. */
  readonly path: string
  /** `performance.now()` milliseconds. */
  readonly at: number
}

/** An abort as it was answered. `success` and `done` are strings on the wire. */
export interface RecordedAbort {
  /** Of the call that is to stop; empty: whatever runs. */
  readonly genkey: string
  /** `performance.now()` milliseconds. */
  readonly at: number
  /** As it was sent. */
  readonly result: { readonly success: 'true' | 'false'; readonly done: 'true' | 'false' }
}
