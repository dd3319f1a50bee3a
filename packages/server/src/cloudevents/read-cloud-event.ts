import type { CloudEvent } from './cloud-event.ts'
import { invalidEvent } from './invalid-event.ts'
import { isJson, mediaTypeOf } from './media-type.ts'
import { readAttributes } from './read-attributes.ts'
import { readData } from './read-data.ts'

/** Structured mode, and each event of a batch: one JSON object. Throws a `RequestProblem`. */
export function readStructured(value: unknown): CloudEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidEvent('A CloudEvent is a JSON object.')
  }
  const { data, data_base64, ...given } = value as Record<string, unknown>
  const event = readAttributes(given)
  const type = event.attributes.datacontenttype
  if (data_base64 === undefined || data_base64 === null) return { ...event, data: checkData(data, type) }
  if (data !== undefined)
    throw invalidEvent('The CloudEvent has both `data` and `data_base64`; one is enough.')
  return { ...event, data: readData(fromBase64(data_base64), type) }
}

/** What is not JSON stands in JSON as a text. */
function checkData(data: unknown, type = 'application/json'): unknown {
  const mediaType = mediaTypeOf(type)
  const isWhole = mediaType === undefined || isJson(mediaType) || typeof data === 'string' || data == null
  if (!isWhole) throw invalidEvent('`data` must be a string, because its `datacontenttype` is not JSON.')
  return data
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function fromBase64(value: unknown): Buffer {
  if (typeof value !== 'string' || value.length % 4 !== 0 || !BASE64.test(value)) {
    throw invalidEvent('`data_base64` must be Base64 (RFC 4648, with padding).')
  }
  return Buffer.from(value, 'base64')
}
