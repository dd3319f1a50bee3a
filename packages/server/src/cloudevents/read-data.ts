import { TextDecoder } from 'node:util'
import { parseJsonBody } from '../http/json-body.ts'
import { invalidEvent, unsupportedType } from './invalid-event.ts'
import { isJson, isText, mediaTypeOf } from './media-type.ts'

/**
 * The bytes of a CloudEvent's data as a JSON value or a text; undefined where there are none. Without a type they are
 * JSON. Throws a `RequestProblem`: 400 for what is not what its type says, 415 for what no prompt can be made of.
 */
export function readData(bytes: Buffer, contentType = 'application/json'): unknown {
  if (bytes.length === 0) return undefined
  const mediaType = mediaTypeOf(contentType)
  if (mediaType === undefined) throw unsupportedType('The content type of the data is not a media type.')
  if (isJson(mediaType)) return parseJsonBody(bytes)
  if (isText(mediaType)) return decode(bytes, mediaType.params.get('charset') ?? 'utf-8')
  throw unsupportedType('A prompt is made of JSON or text, and the data of the CloudEvent is neither.')
}

function decode(bytes: Buffer, charset: string): string {
  const decoder = decoderOf(charset)
  if (decoder === undefined) throw unsupportedType('The charset of the data is not known. Send UTF-8.')
  try {
    return decoder.decode(bytes)
  } catch {
    throw invalidEvent('The data is not valid text in its charset.')
  }
}

function decoderOf(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset, { fatal: true })
  } catch {
    return undefined
  }
}
