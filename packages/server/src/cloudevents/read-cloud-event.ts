import type { IncomingMessage } from 'node:http'
import { TextDecoder } from 'node:util'
import { parseJsonBody } from '../http/json-body.ts'
import {
  type Attributes,
  type CloudEvent,
  invalidEvent,
  isJson,
  isText,
  mediaTypeOf,
  REQUIRED,
  unsupportedType,
} from './cloud-event.ts'
import { decodeHeaderValue } from './header-value.ts'

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
    throw invalidEvent('The CloudEvent has both `data` and `data_base64`. Send one of them.')
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

/** Binary mode: attributes are headers, the body is the data. Throws a `RequestProblem`. */
export function readBinary({ rawHeaders, headers }: IncomingMessage, body: Buffer): CloudEvent {
  const given = attributesOf(rawHeaders)
  if (given.has('datacontenttype')) {
    throw invalidEvent('Leave out the header `ce-datacontenttype`: Content-Type says it.')
  }
  const contentType = headers['content-type']
  const event = readAttributes({ ...Object.fromEntries(given), datacontenttype: contentType })
  return { ...event, data: readData(body, contentType) }
}

/** From the raw headers, because Node would join two of one name to a value that nobody sent. */
function attributesOf(rawHeaders: readonly string[]): Map<string, string> {
  const attributes = new Map<string, string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [, name] = /^ce-(.*)$/is.exec(rawHeaders[index] ?? '') ?? []
    if (name === undefined) continue
    const key = name.toLowerCase()
    const value = decodeHeaderValue(rawHeaders[index + 1] ?? '')
    if (value === undefined) throw invalidEvent(`The header \`ce-${key.slice(0, 40)}\` is not valid UTF-8.`)
    if (attributes.has(key)) throw invalidEvent(`The header \`ce-${key.slice(0, 40)}\` is there twice.`)
    attributes.set(key, value)
  }
  return attributes
}

/**
 * Checks the attributes of CloudEvents 1.0; null and undefined mean unset. Throws a `RequestProblem` that names the first
 * that is wrong.
 */
function readAttributes(given: Readonly<Record<string, unknown>>): Omit<CloudEvent, 'data'> {
  checkVersion(given.specversion)
  const set = Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
  const attributes: Attributes = Object.fromEntries(set.map(([name, value]) => [name, readOne(name, value)]))
  for (const name of REQUIRED) if (attributes[name] === undefined) throw missing(name)
  const { id = '', source = '', type = '' } = attributes
  return { id, source, type, attributes }
}

/** First of all, for attributes of another version follow rules of their own. */
function checkVersion(version: unknown): void {
  if (version === null || version === undefined) throw missing('specversion')
  if (version !== '1.0') throw invalidEvent('The `specversion` of the CloudEvent must be "1.0".')
}

const missing = (name: string) =>
  invalidEvent(`The CloudEvent has no \`${name}\`. It needs ${REQUIRED.join(', ')}.`)

const NAME = /^[a-z0-9]+$/
/** A CloudEvent may be refused from 64 KiB on, and its attributes are the small part of it. */
const LONGEST_ATTRIBUTE = 65_536
const SHOWN_NAME_LENGTH = 40

function readOne(name: string, value: unknown): string {
  if (!NAME.test(name) || name === 'data') {
    throw invalidEvent(
      `\`${name.slice(0, SHOWN_NAME_LENGTH)}\` cannot be the name of a CloudEvents attribute: only a-z and 0-9.`,
    )
  }
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
  const text = rule === undefined ? extensionText(name, value) : value
  if (typeof text !== 'string') throw invalidEvent(`\`${name}\` must be a string.`)
  if (text.length > LONGEST_ATTRIBUTE)
    throw invalidEvent(`\`${name}\` is longer than ${LONGEST_ATTRIBUTE} characters.`)
  if (!isPlain(text)) throw invalidEvent(`\`${name}\` has control characters or is not valid Unicode.`)
  if (rule !== undefined && !rule.holds(text)) throw invalidEvent(`\`${name}\` must be ${rule.says}.`)
  return text
}

/** Extensions have no declared type here: any of the seven, which JSON writes in three ways. */
function extensionText(name: string, value: unknown): unknown {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && value === (value | 0)) return String(value)
  if (typeof value === 'string') return value
  throw invalidEvent(`\`${name}\` must be a string, a boolean or an integer of 32 bits.`)
}

const UNWANTED = /\p{Cc}|\p{Noncharacter_Code_Point}/u
const isPlain = (text: string) => text.isWellFormed() && !UNWANTED.test(text)

interface Rule {
  readonly says: string
  holds(text: string): boolean
}

/** The characters of RFC 3986. */
const URI_REFERENCE = /^(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[\da-f]{2})+$/i
const SCHEME = /^[a-z][a-z0-9+.-]*:/i
/** RFC 3339; a leap second is one. */
const TIMESTAMP =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

const timestamp: Rule = {
  says: 'a time like 2027-01-31T08:00:00Z (RFC 3339)',
  holds: (text) => TIMESTAMP.test(text),
}
const notEmpty: Rule = { says: 'a string that is not empty', holds: (text) => text !== '' }

/** Of the attributes of the specification, and of the extension that is heeded here. */
const RULES: Readonly<Record<string, Rule>> = {
  specversion: notEmpty,
  id: notEmpty,
  type: notEmpty,
  subject: notEmpty,
  source: {
    says: 'a URI-reference, percent-encoded where needed (in a header, `%` itself is `%25`), and not empty',
    holds: (text) => URI_REFERENCE.test(text),
  },
  dataschema: {
    says: 'a URI with its scheme',
    holds: (text) => SCHEME.test(text) && URI_REFERENCE.test(text),
  },
  time: timestamp,
  expirytime: timestamp,
  datacontenttype: {
    says: 'a media type like application/json',
    holds: (text) => mediaTypeOf(text) !== undefined,
  },
}

/**
 * The bytes of a CloudEvent's data as a JSON value or a text; undefined where there are none. Without a type they are
 * JSON. Throws a `RequestProblem`: 400 for what is not what its type says, 415 for what no prompt can be made of.
 */
function readData(bytes: Buffer, contentType = 'application/json'): unknown {
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
