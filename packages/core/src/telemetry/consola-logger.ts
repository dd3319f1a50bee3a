// `consola/core` costs 3 ms to import, `consola` with its terminal reporters and prompts 25 ms.
import { type ConsolaReporter, createConsola, type LogObject } from 'consola/core'
import type { LogFields, Logger } from '../contract/logger.ts'

/** Where lines go: `process.stdout`, a file, a list in a test. */
export interface LogStream {
  /** Takes one line with its line feed. */
  write(text: string): unknown
  /** True: a person reads it, so lines are text and not JSON. */
  readonly isTTY?: boolean
  /** True: what is written now piles up in memory, until `drain`. */
  readonly writableNeedDrain?: boolean
  /** A stream that has it is watched for errors, so that none ends the program. */
  on?(event: 'error', listener: () => void): unknown
  /** Calls back when it takes more. */
  once?(event: 'drain', listener: () => void): unknown
}

/** A logger whose level can be changed while it writes. */
export interface ConsolaLogger extends Logger {
  /** From the next line on. */
  setLevel(level: LogLevel): void
}

/** What `createConsolaLogger` takes. */
export interface ConsolaLoggerOptions {
  /** Default `info`. See `parseLogLevel` for reading one from a setting. */
  level?: LogLevel
  /** One JSON object a line. Default: true unless the stream is a terminal. */
  json?: boolean
  /** Default `process.stdout`. */
  stream?: LogStream
}

const CONSOLA_LEVELS: Readonly<Record<LogLevel, number>> = {
  silent: Number.NEGATIVE_INFINITY,
  error: 0,
  warn: 1,
  info: 3,
  debug: 4,
}

/**
 * A logger on consola. As JSON each line is `{ time, level, message, …fields }` with an ISO 8601 time; on a terminal it
 * is readable text. Secrets under telling keys (`authorization`, `api_key`, `cookie`, `password`, `secret`, `…token`)
 * are hidden, long texts cut, circles broken. A stream that breaks is written to no more; it never stops the program. If
 * nobody reads the stream, 1 MiB of lines is kept, the oldest are dropped, and a line tells how many.
 */
export function createConsolaLogger(options: ConsolaLoggerOptions = {}): ConsolaLogger {
  const { stream = process.stdout, json = stream.isTTY !== true } = options
  let { level = 'info' } = options
  surviveErrors(stream)
  const format = json ? jsonLine : readableLine
  const write = boundedWriter(stream, (dropped) =>
    format({ date: new Date(), type: 'warn', args: [DROPPED, { dropped }] }),
  )
  const consola = createConsola({
    level: CONSOLA_LEVELS[level],
    // By default consola drops lines that look like the one before, within a second.
    throttle: 0,
    reporters: [{ log: (entry) => write(format(entry)) } satisfies ConsolaReporter],
  })
  const rest = (fields?: LogFields) => (fields === undefined ? [] : [fields])
  return {
    setLevel(next) {
      level = next
      consola.level = CONSOLA_LEVELS[next]
    },
    isEnabled: (line) => CONSOLA_LEVELS[line] <= CONSOLA_LEVELS[level],
    debug: (message, fields) => consola.debug(message, ...rest(fields)),
    info: (message, fields) => consola.info(message, ...rest(fields)),
    warn: (message, fields) => consola.warn(message, ...rest(fields)),
    error: (message, fields) => consola.error(message, ...rest(fields)),
  }
}

const survivors = new WeakSet<LogStream>()

/** `ai-ticket-server | head` closes the pipe; without a listener Node would end the program with EPIPE. */
function surviveErrors(stream: LogStream): void {
  if (survivors.has(stream)) return
  survivors.add(stream)
  stream.on?.('error', () => {})
}

/** Characters of lines that wait for a stream which nobody reads. */
const MOST_WAITING = 1_048_576
const DROPPED = 'log lines were dropped: nobody read them in time'

/** Writes lines one by one. While the stream takes none, a bounded number waits, and the oldest go first. */
function boundedWriter(stream: LogStream, noticeOf: (dropped: number) => string): (line: string) => void {
  const waiting: string[] = []
  let length = 0
  let dropped = 0
  function flush(): void {
    while (waiting.length > 0 && !stream.writableNeedDrain) {
      if (dropped > 0) stream.write(noticeOf(dropped))
      dropped = 0
      const line = waiting.shift() ?? ''
      length -= line.length
      stream.write(line)
    }
    if (waiting.length > 0) stream.once?.('drain', flush)
  }
  return (line) => {
    if (waiting.length === 0 && !stream.writableNeedDrain) {
      stream.write(line)
      return
    }
    if (waiting.push(line) === 1) stream.once?.('drain', flush)
    length += line.length
    while (length > MOST_WAITING && waiting.length > 1) {
      length -= waiting.shift()?.length ?? 0
      dropped += 1
    }
  }
}

type Line = Pick<LogObject, 'date' | 'type' | 'args'>

function jsonLine({ date, type, args: [message, fields] }: Line): string {
  const head = { time: date.toISOString(), level: type, message: redact(String(message)) }
  // The head stands first for human eyes and last for the machine: no field can change the level of a line.
  return `${JSON.stringify({ ...head, ...(redact(fields) as object | undefined), ...head })}\n`
}

function readableLine({ date, type, args: [message, fields] }: Line): string {
  const time = date.toISOString().slice(11, 23)
  const pairs = Object.entries((redact(fields) ?? {}) as object).map(
    ([key, value]) => ` ${key}=${shown(value)}`,
  )
  return `${time} ${type.toUpperCase().padEnd(5)} ${printable(String(redact(message)) + pairs.join(''))}\n`
}

const PLAIN_WORD = /^[\w.:/@-]+$/

const shown = (value: unknown): string =>
  typeof value === 'string' && PLAIN_WORD.test(value) ? value : (JSON.stringify(value) ?? String(value))

/** Control characters in a text from outside could forge lines or drive the terminal. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** From quiet to talkative; each includes those before it. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

const LEVEL_NAMES: Readonly<Record<string, LogLevel>> = {
  // Python's
  critical: 'error',
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  notset: 'debug',
  // consola's; its `log` stands between `warn` and `info`, where this library has nothing to say
  silent: 'silent',
  fatal: 'error',
  log: 'warn',
  success: 'info',
  fail: 'info',
  ready: 'info',
  start: 'info',
  box: 'info',
  trace: 'debug',
  verbose: 'debug',
}

/**
 * Reads a log level by Python's names (`DEBUG`, `INFO`, `WARNING`, `WARN`, `ERROR`, `CRITICAL`) or consola's, in any
 * case. Undefined for anything else: the caller says so, rather than quietly taking a default.
 */
export function parseLogLevel(text: string): LogLevel | undefined {
  const name = text.trim().toLowerCase()
  return Object.hasOwn(LEVEL_NAMES, name) ? LEVEL_NAMES[name] : undefined
}

const SECRET_KEY = /authorization|api[-_]?key|cookie|password|secret|token$/i
const MAX_DEPTH = 6
const MAX_STRING_LENGTH = 2_048
const MAX_ITEMS = 100

/**
 * A copy of a value that may stand in a log: values under keys that name a secret are hidden, strings are cut at 2,048
 * characters, nesting ends at depth 6, lists and objects after 100 entries, and circles, buffers and getters that
 * throw do no harm. Keys that end in `tokens` are counts and stay.
 * It does not find a secret inside a text.
 */
export function redact(value: unknown): unknown {
  return copy(value, [])
}

/** `parents` are the objects on the way down: their number is the depth, and meeting one again is a circle. */
function copy(value: unknown, parents: readonly object[]): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= MAX_DEPTH) return '[too deep]'
  const path = [...parents, value]
  if (Array.isArray(value)) return copyList(value, path)
  return value instanceof Error ? copyError(value, path) : copyObject(value, path)
}

function cut(text: string): string {
  if (text.length <= MAX_STRING_LENGTH) return text
  return `${text.slice(0, MAX_STRING_LENGTH)}… (${text.length - MAX_STRING_LENGTH} more)`
}

function copyList(list: readonly unknown[], path: readonly object[]): unknown[] {
  const items = list.slice(0, MAX_ITEMS).map((item) => copy(item, path))
  return list.length > MAX_ITEMS ? [...items, `… (${list.length - MAX_ITEMS} more)`] : items
}

function copyObject(value: object, path: readonly object[]): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  const keys = Object.keys(value)
  for (const key of keys.slice(0, MAX_ITEMS)) record[key] = copyEntry(value, key, path)
  if (keys.length > MAX_ITEMS) record['…'] = `(${keys.length - MAX_ITEMS} more)`
  return record
}

function copyEntry(value: object, key: string, path: readonly object[]): unknown {
  if (SECRET_KEY.test(key)) return '[redacted]'
  try {
    return copy(Reflect.get(value, key), path)
  } catch {
    return '[unreadable]'
  }
}

/** The properties of an error that matter are not enumerable, so a plain copy would be `{}`. */
function copyError(error: Error, path: readonly object[]): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const known = { name, message: cut(String(message)), ...(stack === undefined ? {} : { stack: cut(stack) }) }
  const rest = copyObject(error, path)
  return cause === undefined ? { ...known, ...rest } : { ...known, ...rest, cause: copy(cause, path) }
}
