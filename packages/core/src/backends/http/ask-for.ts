import * as v from 'valibot'
import type { HttpClient } from './client.ts'
import { connectionError, type ErrorPlace } from './errors.ts'

export type AnySchema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>

export interface AskFor<Schema> {
  client: HttpClient
  path: string
  /** JSON text; with one it is a POST. */
  body?: string
  schema: Schema
  place: ErrorPlace
  signal: AbortSignal
}

/** One question beside generations. */
export interface Found<Value> {
  readonly response: Response
  readonly text: string
  /** Undefined: another status than 2xx, or not what the schema says. */
  readonly value: Value | undefined
}

/** Asks for something small. Throws a `BackendError` only where no answer came. */
export async function askFor<Schema extends AnySchema>({
  client,
  path,
  body,
  schema,
  place,
  signal,
}: AskFor<Schema>): Promise<Found<v.InferOutput<Schema>>> {
  let response: Response
  let text: string
  try {
    const call = body === undefined ? { method: 'GET' as const } : { method: 'POST' as const, body }
    response = await client.send({ ...call, path, signal })
    text = await response.text()
  } catch (error) {
    throw connectionError(place, error, true)
  }
  return { response, text, value: response.ok ? read(schema, text) : undefined }
}

function read<Schema extends AnySchema>(schema: Schema, text: string): v.InferOutput<Schema> | undefined {
  try {
    const { success, output } = v.safeParse(schema, JSON.parse(text))
    return success ? output : undefined
  } catch {
    return undefined
  }
}
