import { createParser } from 'eventsource-parser'
import { BackendError } from '../../contract/backend.ts'
import { parseJson } from '../../contract/json-value.ts'
import { withoutEnd } from './completion-wire.ts'
import {
  at,
  type ErrorDetail,
  type ErrorPlace,
  errorDetail,
  isErrorStatus,
  MOST_WORDS,
  PLAIN,
  reasonOfReported,
} from './errors.ts'
import { isJson } from './pool-response.ts'

/** A reply whose body has come to its end. */
export interface WholeReply {
  readonly response: Response
  readonly text: string
}

export async function readWhole(response: Response): Promise<WholeReply> {
  return { response, text: await response.text() }
}

export function parseReply(place: ErrorPlace, text: string): unknown {
  try {
    return unpacked(parseLoosely(text))
  } catch {
    throw notJson(place, text)
  }
}

/**
 * JSON as some servers write it: with NaN or Infinity beside the answer, as Python does, raw control characters in
 * texts, or something around it. Nothing is added: what is cut off stays so.
 */
export function parseLoosely(text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    const mended = withoutEnd(text.replace(ANTI_INCLUSION, ''), /[\s\0,]/).replace(
      TEXT_OR_NO_NUMBER,
      (found) => (found.startsWith('"') ? escapeControls(found) : 'null'),
    )
    if (mended === text) throw error
    return parseJson(mended)
  }
}

const ANTI_INCLUSION = /^\)\]\}',?\s*/
const TEXT_OR_NO_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON does not allow in a text.
const CONTROLS = /[\0-\x1f]/g

const escapeControls = (text: string): string =>
  text.replace(CONTROLS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** The parser's own error would quote the text. */
export function notJson(place: ErrorPlace, text: string): BackendError {
  const what = /^[\s\uFEFF]*</.test(text)
    ? 'a web page, not JSON: the address is that of a proxy, a sign-in page or another program; check the URL'
    : 'something that is not JSON'
  const sent = text.trim() === '' ? 'an empty reply' : what
  return new BackendError('not_json', `${at(place)} sent ${sent}.`)
}

/** A reply that is no answer: an error with status 200, as servers send it once their head is out, or another shape. */
export function notAnAnswer(place: ErrorPlace, value: unknown): BackendError {
  if (value === null) {
    return new BackendError(
      'wrong_shape',
      `${at(place)} answered null: it could not generate from this request.`,
    )
  }
  if (isErrorFrame(value)) return reportedError(place, value)
  const words = JSON.stringify(value).slice(0, MOST_WORDS)
  return new BackendError('wrong_shape', `${at(place)} sent JSON that holds no answer.`, { words })
}

/** An error that a server reports in a reply with status 200. Its words are read for the reason and never quoted. */
export function reportedError(place: ErrorPlace, value: unknown): BackendError {
  const reason = reasonOfReported(errorIn(value))
  const message = `${at(place)} reports an error with status 200${reason ? PLAIN[reason] : ''}.`
  const words = JSON.stringify(value).slice(0, MOST_WORDS)
  return new BackendError('wrong_shape', message, { words, ...(reason && { reason }) })
}

/** The object or the text that tells of the error: a gateway may pack it into a list, or into the only choice. */
function errorIn(value: unknown): ErrorDetail {
  const frame = unpacked(value)
  if (!isFields(frame)) return { message: frame }
  return errorDetail(saysSomething(frame.error) ? frame : (errorOfChoice(frame.choices) ?? frame))
}

/** Google's dialect packs each event, and each error, into a list of one, and gateways an answer into a field. */
export function unpacked(value: unknown): unknown {
  const inner: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value
  if (!isFields(inner) || 'choices' in inner || saysSomething(inner.error)) return inner
  const packed = [inner.data, inner.result, inner.response].find((one) => isFields(one) && 'choices' in one)
  return packed ?? inner
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/**
 * `{error: …}` nearly everywhere, `{errors: […]}` at some, within the choice at OpenRouter; older vLLM says
 * `{object: "error", …}`, KoboldCPP and servers made with FastAPI `{detail: …}`, gateways say it with a status, a type
 * or a code. An event with a name of its own says by that what it is: details in it are no error.
 */
export function isErrorFrame(value: unknown, isNamed = false): boolean {
  const frame = unpacked(value)
  if (!isFields(frame)) return false
  if (saysSomething(frame.error) || saysSomething(frame.errors)) return true
  if ('choices' in frame && errorOfChoice(frame.choices)) return true
  if (isNamed) return false
  if (frame.object === 'error') return true
  return !('choices' in frame || 'token' in frame || 'results' in frame) && isFailure(frame)
}

/** What holds no answer and says that something failed. */
function isFailure(frame: Fields): boolean {
  const { detail, type, status, success, code, statusCode, message, msg, title } = frame
  if (saysSomething(detail) || success === false) return true
  if (FAILED.test(`${type}`) || FAILED.test(`${status}`)) return true
  if (ERROR_FIELDS.some((name) => saysSomething(frame[name]))) return true
  const words = [message, msg, title].filter((one) => typeof one === 'string')
  if (words.length > 0 && [code, status, statusCode].some(isErrorStatus)) return true
  // The proxies of AWS say no more.
  return words.length > 0 && Object.keys(frame).every(isOfWords) && FAILURE_WORDS.test(words.join(' '))
}

/** Other names for an error. */
const ERROR_FIELDS = ['error_code', 'error_msg', 'error_message', 'errorCode', 'errorMessage', 'exception']
const isOfWords = (name: string): boolean => /^(?:message|msg|request_?id)$/i.test(name)
const FAILURE_WORDS =
  /\b(?:error|fail(?:ed|ure)?|timed? ?-?out|unavailable|exceed\w*|denied|refused|forbidden|unauthori[sz]ed|overloaded|bad gateway|too (?:long|many|large)|invalid|abort\w*|crash\w*|out of memory)\b/i

const FAILED = /^(?:error|exception|fail|failed|failure)$/i

function errorOfChoice(choices: unknown): Fields | undefined {
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined
  if (!isFields(choice)) return undefined
  const places = [choice, choice.delta, choice.message]
  return places.filter(isFields).find(({ error }) => saysSomething(error))
}

/** Some gateways write an empty error into each event, or one whose fields are all empty. */
function saysSomething(error: unknown, depth = 0): boolean {
  if (typeof error === 'string') return !/^\s*(?:|0|null|none|undefined|false|ok|success)\s*$/i.test(error)
  if (!isFields(error)) return Boolean(error)
  return depth < 3 && Object.values(error).some((field) => saysSomething(field, depth + 1))
}

/** One event of a server. `event`: its name, where it has one; `BODY`: no event but a whole body. */
export interface ServerEvent {
  readonly event?: string | typeof BODY | undefined
  readonly data: string
}

/** Marks a reply that is no event stream: its whole text comes as one item. */
export const BODY = Symbol('body')

/** Longest line, in characters, that a server may send: far above any token, far below what hurts. */
const MAX_LINE = 1024 * 1024

/** KoboldCPP 1.76 ends its streams with this and no line end, so that a parser alone would never deliver it. */
const UNFINISHED_DONE = /(?:^|[\r\n])data: ?\[DONE\]$/

/** A line of an event stream is longer than a megabyte. */
export class EventTooLongError extends Error {
  override readonly name = 'EventTooLongError'
}

/**
 * The server-sent events of a reply, `[DONE]` included, however the bytes were cut into reads. Comments and unknown
 * fields are passed over; what a stream leaves at its end without a blank line is delivered where it is whole. A reply
 * that does not begin like a stream comes as one `BODY`, whatever its content type says.
 */
export async function* readEventStream(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string | null = 'text/event-stream',
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let kind: 'stream' | 'body' | undefined
  let start = ''
  const stream = createStreamReader()
  try {
    for await (const chunk of chunks) {
      let text = decoder.decode(chunk, { stream: true })
      if (kind !== 'stream') {
        start += text
        kind ??= kindOf(start, contentType)
        if (kind !== 'stream') continue
        text = start
      }
      yield* stream.read(text)
      if (stream.isTooLong()) {
        throw new EventTooLongError('A line of the event stream is longer than a megabyte.')
      }
    }
  } catch (error) {
    if (kind === 'stream' || !isJson(start)) throw error
  }
  const rest = decoder.decode()
  const text = start + rest
  if (kind === 'stream') yield* stream.end(rest)
  else if (kind === 'body' || !isNothing(text, contentType))
    yield* jsonLines(text) ?? [{ event: BODY, data: text }]
}

/** The events of a stream that has one JSON text in each line, and nothing else. Undefined: it is none. */
function jsonLines(text: string): ServerEvent[] | undefined {
  // What begins a second line may begin an event.
  if (!/^\s*\{[^\n]*\}[^\S\n]*\n\s*\{/.test(text)) return undefined
  const events = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [{ data: line.trim() }]))
  return events.every(isWhole) ? events : undefined
}

/** A text that has come already, for readers of streams. */
export async function* inOneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

const NEARLY_DATA = /^[\s\uFEFF]*data\s*$/i

/** Text in, events out. */
function createStreamReader() {
  let events: ServerEvent[] = []
  let tooLong = false
  let tail = ''
  const nameErrors = createErrorNamer()
  const parser = createParser({
    maxBufferSize: MAX_LINE,
    onEvent: (event) => events.push(...oneByOne(event)),
    onError: ({ type, field = '', value: data = '' }) => {
      tooLong ||= type === 'max-buffer-size-exceeded'
      // A byte order mark or white space before the name of the field makes another field of it, and its text is lost.
      if (NEARLY_DATA.test(field)) events.push(...oneByOne({ data }))
    },
  })
  const read = (given: string): ServerEvent[] => {
    const text = nameErrors(given)
    parser.feed(text)
    tail = (tail + text).slice(-16)
    if (UNFINISHED_DONE.test(tail)) parser.feed('\n\n')
    const found = events
    events = []
    return found
  }
  return {
    read,
    isTooLong: () => tooLong,
    end: (text: string) => read(`${text}\n\n`).filter(isWhole),
  }
}

/**
 * An event as it was meant: some servers end each with one line end in place of two, so that many come as one, and some
 * proxies write `data:` twice.
 */
function oneByOne(event: ServerEvent): ServerEvent[] {
  const { data } = event
  if (!data.includes('\n') && !data.startsWith('data:')) return [event]
  if (isJson(data) || event.event !== undefined) return [event]
  const lines = data.split('\n').map((line) => line.replace(/^(?:data:\s*)+/, '').trim())
  const parts = lines.filter((line) => line !== '').map((line) => ({ data: line }))
  return parts.every(isWhole) ? parts : [event]
}

/** The server may have died within an event: half of one is no event. */
function isWhole({ event, data }: ServerEvent): boolean {
  if (data === '[DONE]' || event === 'error') return true
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}

const FIELDS = ['data:', 'event:', 'id:', 'retry:', 'error:', ':']

/** What a reply is by its first characters. Undefined: too few have come. */
function kindOf(start: string, contentType: string | null): 'stream' | 'body' | undefined {
  const first = start.search(/[^\s\uFEFF]/)
  const text = first < 0 ? '' : start.slice(first, first + 8)
  if (FIELDS.some((field) => text.startsWith(field))) return 'stream'
  if ([...FIELDS, 'null'].some((known) => known.length > text.length && known.startsWith(text)))
    return undefined
  // A server that streams may begin with a field that we do not know, but not with JSON or a web page.
  return isStreamType(contentType) && !/^(?:[{["<\d-]|null)/.test(text) ? 'stream' : 'body'
}

/** A server that died before its first event has not answered; a reply that says it is JSON has, wrongly. */
const isNothing = (text: string, contentType: string | null): boolean =>
  isStreamType(contentType) || (text.trim() === '' && !/json/i.test(contentType ?? ''))

export const isStreamType = (contentType: string | null): boolean =>
  contentType !== null && /event-stream/i.test(contentType)

/** Whether a whole text is an event stream: some servers stream to everybody. */
export const isStreamText = (text: string): boolean =>
  kindOf(text, null) === 'stream' || jsonLines(text) !== undefined

/**
 * How a line begins that no field of an event stream does: llama.cpp's own `error:`, bare JSON, and the page of a proxy.
 */
const BARE_LINE = /(?<=^|[\r\n])(?:error: ?|(?=[{<]))/gi
const HAS_BARE_LINE = /(?:^|[\r\n])(?:error:|[{<])/i
const BARE_ERROR = 'error:'

/**
 * Turns such a line, which the parser would drop as an unknown field, into an event: bare JSON is what it says, all else
 * is an error. The start of a line that may become one is held back until the next read.
 */
function createErrorNamer() {
  let held = ''
  let isLineStart = true
  return (given: string): string => {
    let text = held + given
    held = ''
    if (text === '') return ''
    if (!endsLine(text)) {
      const line = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1
      const last = text.slice(line, line + BARE_ERROR.length)
      const isStart = (line > 0 || isLineStart) && last.length < BARE_ERROR.length
      if (isStart && BARE_ERROR.startsWith(last.toLowerCase())) {
        held = last
        text = text.slice(0, line)
      }
    }
    const wasLineStart = isLineStart
    if (text !== '') isLineStart = endsLine(text)
    if (!HAS_BARE_LINE.test(text)) return text
    return text.replace(BARE_LINE, (found: string, place: number, whole: string) => {
      if (place === 0 && !wasLineStart) return found
      return whole[place] === '{' ? '\ndata: ' : '\nevent: error\ndata: '
    })
  }
}

const endsLine = (text: string): boolean => text.endsWith('\n') || text.endsWith('\r')
