import { readdirSync, readFileSync } from 'node:fs'
import { fixtureFolder } from '../fixture-folder.ts'
import type { KoboldVersion } from '../kobold/simulator-options.ts'

export interface RecordedHttpRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The text as sent; very long ones are described instead. */
  readonly body?: string
}

export interface RecordedChunk {
  /** Milliseconds since the request was sent. */
  readonly atMs: number
  readonly text: string
}

export interface RecordedHttpResponse {
  /** null: not one byte came back. */
  readonly status: number | null
  readonly httpVersion?: string
  readonly statusText?: string
  /** Names in lower case, doubles joined with a comma. */
  readonly headers?: Readonly<Record<string, string>>
  /** The lines as sent. */
  readonly rawHeaders?: readonly string[]
  readonly body?: string
  /** The pieces of an event stream as they arrived; instead of `body`. */
  readonly chunks?: readonly RecordedChunk[]
  /** `server closed (FIN)`, `client closed`, `client gave up (timeout)`, `connect failed` or `connection reset`. */
  readonly connectionEnd: string
  readonly firstByteMs: number | null
  readonly totalMs: number
}

/** One request to a real KoboldCPP and what came back, byte for byte. */
export interface RecordedExchange {
  readonly name: string
  readonly koboldcpp: string
  readonly about: string
  /** How the server was started, where it matters. */
  readonly server?: string
  readonly request: RecordedHttpRequest
  readonly response: RecordedHttpResponse
  /** Other exchanges that ran at the same time. */
  readonly related?: readonly {
    readonly name?: string
    readonly request: RecordedHttpRequest
    readonly response: RecordedHttpResponse
  }[]
}

/** The names of the recorded exchanges of a version. */
export function listExchanges(version: KoboldVersion): readonly string[] {
  return readdirSync(fixtureFolder(version))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort()
}

/** One recorded exchange by its name, e.g. `chat-stream`. Throws if there is none of that name. */
export function loadExchange(version: KoboldVersion, name: string): RecordedExchange {
  // The files are ours and checked by a test, so they are trusted here.
  return JSON.parse(readFileSync(new URL(`${name}.json`, fixtureFolder(version)), 'utf8')) as RecordedExchange
}
