import { FAILURE_CODES, type FailureCode, parseJson } from '@ai-ticket/core'
import * as v from 'valibot'
import type { Config } from '../config/config.ts'

/** A JSON object as it came, with all its fields. */
export type JsonObject = Readonly<Record<string, unknown>>

export type ServerReply<Body = unknown> =
  | { readonly ok: true; readonly body: JsonObject & Body }
  /** `error` is absent if no AI Ticket server answered. */
  | { readonly ok: false; readonly error?: FailureCode; readonly message: string }

export interface ServerRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly body?: object
}

/** `reply`: the fields of it that are read. What has others is not one of ours: other programs answer 200, too. */
export interface ServerQuestion<Body> extends ServerRequest {
  readonly reply: v.GenericSchema<Body>
}

export const awayFrom = (url: string): string =>
  `No AI Ticket server answers at ${url}. Start it, or name another with --server.`

export const strangerAt = (url: string, status?: number): string =>
  `What answers at ${url} is not an AI Ticket server${status === undefined ? '' : ` (HTTP ${status})`}. Name another with --server.`

/** Undefined: not one of ours. */
export const failureCodeIn = (body: JsonObject): FailureCode | undefined =>
  FAILURE_CODES.find((code) => code === body.error)

/** The server that commands ask: the one named, or where this configuration listens, as seen from its own machine. */
export function serverOf({ server, host, port }: Pick<Config, 'server' | 'host' | 'port'>): string {
  if (server !== '') return server.replace(/\/+$/, '')
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** A server speaks of headers; in a terminal a key comes from somewhere else. */
export const withNextStep = (error: FailureCode, message: string): string =>
  error === 'unauthorised'
    ? `${message} Here, set AI_TICKET_API_KEYS to a key that this server takes.`
    : message

/** Asks a running server. Never throws. */
export async function askServer<Body>(
  url: string,
  key: string | undefined,
  { method, path, body, reply: schema }: ServerQuestion<Body>,
): Promise<ServerReply<Body>> {
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const reply = objectIn(await response.text())
    if (response.ok && reply !== undefined && v.is(schema, reply)) return { ok: true, body: reply }
    const error = response.ok || reply === undefined ? undefined : failureCodeIn(reply)
    if (error === undefined) return { ok: false, message: strangerAt(url, response.status) }
    return { ok: false, error, message: withNextStep(error, `${error}: ${reply?.details}`) }
  } catch {
    return { ok: false, message: awayFrom(url) }
  }
}

/** Undefined: whatever else it is. */
export function objectIn(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
