import { readdirSync, readFileSync } from 'node:fs'
import { fixtureFolder } from '../fixture-folder.ts'
import type { KoboldVersion } from '../kobold/contract/simulator-options.ts'

/** A request as it was sent. */
export interface RecordedHttpRequest {
  /** Of HTTP. */
  readonly method: string
  /** As it was sent. */
  readonly path: string
  /** As they were written. */
  readonly headers: Readonly<Record<string, string>>
  /** The text as sent; very long ones are described instead. */
  readonly body?: string
}

/** A piece of an event stream. */
export interface RecordedChunk {
  /** Milliseconds since the request was sent. */
  readonly atMs: number
  /** May end within an event. */
  readonly text: string
}

/** A reply as it came. */
export interface RecordedHttpResponse {
  /** null: not one byte came back. */
  readonly status: number | null
  /** `HTTP/1.0` or `HTTP/1.1`, as the server wrote it. */
  readonly httpVersion?: string
  /** The words behind the status. */
  readonly statusText?: string
  /** Names in lower case, doubles joined with a comma. */
  readonly headers?: Readonly<Record<string, string>>
  /** The lines as sent. */
  readonly rawHeaders?: readonly string[]
  /** As a text. Absent where there are `chunks`. */
  readonly body?: string
  /** The pieces of an event stream as they arrived; instead of `body`. */
  readonly chunks?: readonly RecordedChunk[]
  /** `server closed (FIN)`, `client closed`, `client gave up (timeout)`, `connect failed` or `connection reset`. */
  readonly connectionEnd: string
  /** Milliseconds until the first byte. null: none came. */
  readonly firstByteMs: number | null
  /** Milliseconds until the connection ended. */
  readonly totalMs: number
}

/** One request to a real KoboldCPP and what came back, byte for byte. */
export interface RecordedExchange {
  /** Of its file, without `.json`. */
  readonly name: string
  /** The version of the server. */
  readonly koboldcpp: string
  /** What it shows, in a sentence. */
  readonly about: string
  /** How the server was started, where it matters. */
  readonly server?: string
  /** What was sent. */
  readonly request: RecordedHttpRequest
  /** What came back. */
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
