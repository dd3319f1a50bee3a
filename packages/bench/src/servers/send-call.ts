import type { Client } from 'undici'
import type { Call } from './contender.ts'

export interface SentCall {
  /** From the request to the first piece of the body that holds the mark, in milliseconds; undefined: none did. */
  readonly markMs: number | undefined
  /** From the request to the end of the reply, in milliseconds. */
  readonly wholeMs: number
}

export interface SendOptions {
  /** Ends the wait for the first token: text that only a token has. */
  readonly mark?: string
}

/** Sends one request and reads its reply to the end, with as little work as undici allows. Rejects unless it is a 200. */
export function sendCall(client: Client, call: Call, { mark }: SendOptions = {}): Promise<SentCall> {
  const { path, headers, body } = call
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    let markMs: number | undefined
    let status = 0
    client.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart() {}, // undici insists on it.
        onResponseStart(_controller, statusCode) {
          status = statusCode
        },
        onResponseData(_controller, piece) {
          if (mark !== undefined && markMs === undefined && piece.includes(mark)) {
            markMs = performance.now() - startedAt
          }
        },
        onResponseEnd() {
          if (status === 200) resolve({ markMs, wholeMs: performance.now() - startedAt })
          else reject(new Error(`${path} answered with status ${status}`))
        },
        onResponseError(_controller, error) {
          reject(error)
        },
      },
    )
  })
}
