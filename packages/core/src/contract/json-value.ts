import * as v from 'valibot'

/** What one JSON text of a caller may hold: a body, a line of a batch, a `content` that is JSON itself. */
export const JSON_LIMITS = {
  /** Lists and objects within each other: deeper values overflow the stack of whoever reads them. */
  depth: 64,
  /** Keys of objects in all. An object of a million keys stops the process for seconds. */
  keys: 10_000,
  /** Values in all, lists and objects included. */
  values: 100_000,
} as const

/** A key takes five characters (`"":0,`), a value two: in a shorter text there cannot be too many. */
const SURELY_FINE = 5 * JSON_LIMITS.keys

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
const SPACE = 0x20

/**
 * What a JSON text has too much of, to be put behind its name; undefined: it is within the limits. Counts before anything
 * is parsed, in one pass, about a millisecond for each million characters. What is no JSON is counted up to its fault.
 */
export function jsonExcess(json: string): string | undefined {
  if (json.length <= SURELY_FINE) return undefined
  let keys = 0
  let values = 1
  let isJustOpen = false
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code <= SPACE) continue
    if (code === COLON) keys += 1
    else if (code === COMMA) values += 1
    else if (code === QUOTE) at = endOfQuoted(json, at)
    else if (isJustOpen && (code === CLOSE_LIST || code === CLOSE_OBJECT)) values -= 1
    isJustOpen = code === OPEN_LIST || code === OPEN_OBJECT
    if (isJustOpen) values += 1
    // An empty list has no first value: it is known one character later.
    if (keys > JSON_LIMITS.keys || values > JSON_LIMITS.values + 1) break
  }
  if (keys > JSON_LIMITS.keys) return `holds more than ${inWords(JSON_LIMITS.keys)} keys`
  return values > JSON_LIMITS.values ? `holds more than ${inWords(JSON_LIMITS.values)} values` : undefined
}

/** The quotation mark that ends the text; the end of all where none does. */
function endOfQuoted(json: string, start: number): number {
  let at = start + 1
  for (let code = json.charCodeAt(at); at < json.length && code !== QUOTE; code = json.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1
  }
  return at
}

const inWords = (count: number): string => count.toLocaleString('en-US')

/** Deeper values overflow the stack of JSON.stringify in callers and stores. */
export const MAX_DEPTH = JSON_LIMITS.depth

/** `parameters.stop[2]`: the path of the first issue, as a person would write it. */
function issuePath(issue: v.BaseIssue<unknown>, root = ''): string {
  let path = root
  for (const { key } of issue.path ?? []) {
    if (typeof key === 'number') path += `[${key}]`
    else path += path === '' ? String(key) : `.${String(key)}`
  }
  return path
}

/** What the value is, without showing it: values may hold prompts and keys. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof LongNumber) return value.isWhole ? 'a whole number' : 'a number'
  if (value === undefined) return 'nothing'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number') return Number.isInteger(value) ? 'a whole number' : 'a number'
  return `a ${typeof value}`
}

/** One sentence that names the path, what is expected and what kind of value came. Never the value. */
export function describeIssue(issue: v.BaseIssue<unknown>, root = ''): string {
  const path = issuePath(issue, root)
  const within = issue.type === 'union' ? closestIssue(issue) : undefined
  if (within) return describeIssue(within, path)
  if (issue.kind === 'validation') return `\`${path}\` ${expectation(issue)}.`
  if (issue.type === 'picklist')
    return `\`${path}\` must be one of ${issue.expected}; it is ${kindOf(issue.input)}.`
  const expected = issue.type === 'union' ? describeUnion(issue.expected) : describeType(issue)
  return `\`${path}\` must be ${expected}; it is ${kindOf(issue.input)}.`
}

/** The fault in the form that the value comes closest to: the value breaks a rule of that form, or a part of it does. */
function closestIssue({ issues }: v.BaseIssue<unknown>): v.BaseIssue<unknown> | undefined {
  const near = issues?.filter(({ kind, path }) => kind === 'validation' || path !== undefined)
  return near?.length === 1 ? near[0] : undefined
}

function expectation(issue: v.BaseIssue<unknown>): string {
  const requirement = 'requirement' in issue ? issue.requirement : undefined
  switch (issue.type) {
    case 'min_value':
      return `must be at least ${requirement}`
    case 'max_value':
      return `must be at most ${requirement}`
    case 'integer':
      return 'must be a whole number'
    case 'min_length':
    case 'non_empty':
      return typeof requirement === 'number' && requirement > 1
        ? `is too short (at least ${requirement})`
        : 'must not be empty'
    case 'max_length':
      return `is too long (at most ${requirement})`
    default:
      return issue.message
  }
}

const TYPES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  Array: 'a list',
  Object: 'an object',
}

/** The only custom schema is `plainObject`. */
const describeType = ({ type, expected }: v.BaseIssue<unknown>): string =>
  type === 'custom' ? 'an object' : nameType(expected ?? '')

const nameType = (expected: string): string => TYPES[expected] ?? 'of another type'

function describeUnion(expected: string | null): string {
  const names = (expected ?? '').replace(/[()]/g, '').split(' | ').map(nameType)
  return [...new Set(names)].join(' or ')
}

/** True when no list or object is nested deeper than `maximum` levels. Does not recurse; cycles count as too deep. */
export function isWithinDepth(value: unknown, maximum: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  let level: object[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= maximum) return false
    const below: object[] = []
    for (const item of level) {
      for (const child of Object.values(item)) {
        if (typeof child === 'object' && child !== null) below.push(child)
      }
    }
    level = below
  }
  return true
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof LongNumber)

/** The schema of `json_object`, in a form that callers do not write: servers are asked for it in their own words. */
export const ANY_OBJECT: Readonly<Record<string, unknown>> = { type: 'object', additionalProperties: true }

export const isAnyObject = (schema: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(schema).length === 2 &&
  Object.entries(ANY_OBJECT).every(([name, value]) => schema[name] === value)

/** An object that is no list; valibot's own object and record take lists too. */
export const plainObject = v.custom<Record<string, unknown>>(isPlainObject)

/** JSON as it stands, for `JSON.stringify`. TypeScript does not know it yet. */
const { rawJSON } = JSON as JSON & { rawJSON(text: string): object }

/**
 * A number of a JSON text with more digits than a number of JavaScript holds, such as the id of a chat, or beyond its
 * range. `JSON.stringify` and `String` give its digits as they came; in calculations it is the nearest number.
 */
export class LongNumber extends Number {
  readonly #source: string

  constructor(source: string) {
    super(source)
    this.#source = source
  }

  /** False: it has a fraction or an exponent. */
  get isWhole(): boolean {
    return /^-?\d+$/.test(this.#source)
  }

  /** Its digits, as they came. */
  override toString(): string {
    return this.#source
  }

  /** Its digits for `JSON.stringify`, which writes them as a number. */
  toJSON(): object {
    return rawJSON(this.#source)
  }
}

/** Sixteen digits and more, or an exponent of three: only such numbers may lose some of them. Strings may look so, too. */
const MAY_BE_LONG = /\d[\d.]{15}|\d[eE][+-]?\d{3}/

export const mayHoldLongNumber = (json: string): boolean => MAY_BE_LONG.test(json)

/**
 * `JSON.parse`, but numbers that would lose digits become a `LongNumber`. Costs little more where there is none. A
 * reviver would get the digits as well, but is called for every value, which takes ten times as long.
 */
export function parseJson(json: string): unknown {
  const value: unknown = JSON.parse(json)
  if (!mayHoldLongNumber(json)) return value
  const { numbered, sources } = numberLongOnes(json)
  return sources.length === 0 ? value : putBack(value, JSON.parse(numbered), sources)
}

const TEXT_OR_LONG = /"|\d[\d.]{15}|\d[eE][+-]?\d{3}/g
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** The same JSON with another number in the place of each that would lose digits, which says where its digits are. */
function numberLongOnes(json: string): { numbered: string; sources: string[] } {
  const sources: string[] = []
  let numbered = ''
  let copied = 0
  TEXT_OR_LONG.lastIndex = 0
  for (let found = TEXT_OR_LONG.exec(json); found; found = TEXT_OR_LONG.exec(json)) {
    if (found[0] === '"') {
      TEXT_OR_LONG.lastIndex = endOfText(json, found.index)
      continue
    }
    NUMBER.lastIndex = startOfNumber(json, found.index)
    const start = NUMBER.lastIndex
    const source = NUMBER.exec(json)?.[0] ?? ''
    const end = start + source.length
    TEXT_OR_LONG.lastIndex = end
    if (isSameNumber(source, String(Number(source)))) continue
    numbered += `${json.slice(copied, start)}${nameOf(sources.length, Number(source))}`
    copied = end
    sources.push(source)
  }
  return { numbered: numbered + json.slice(copied), sources }
}

/** Never the number itself, so that one can be told from the other. */
const nameOf = (index: number, itself: number): number => (itself === 2 * index ? 2 * index + 1 : 2 * index)

/** The place behind the quotation mark that ends a text. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let backslashes = 0
    while (json[end - 1 - backslashes] === '\\') backslashes += 1
    if (backslashes % 2 === 0) return end + 1
  }
  return json.length
}

/** An exponent is found at the last digit before it. */
function startOfNumber(json: string, found: number): number {
  let start = found
  while (/[\d.]/.test(json.charAt(start - 1))) start -= 1
  return json[start - 1] === '-' ? start - 1 : start
}

/** Goes through both values side by side, without recursion: JSON may be nested deeper than a stack. */
function putBack(value: unknown, numbered: unknown, sources: readonly string[]): unknown {
  const root = { value }
  const open: [object, object][] = [[root, { value: numbered }]]
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const [here, there] = pair
    for (const key of Object.keys(here)) {
      const [own, other]: [unknown, unknown] = [Reflect.get(here, key), Reflect.get(there, key)]
      if (typeof own === 'object' && own !== null) open.push([own, other as object])
      else if (typeof own === 'number' && own !== other) {
        const long = new LongNumber(sources[Math.floor(Number(other) / 2)] ?? '')
        // Assigned, a key named `__proto__` would be lost.
        Object.defineProperty(here, key, {
          value: long,
          enumerable: true,
          writable: true,
          configurable: true,
        })
      }
    }
  }
  return root.value
}

function isSameNumber(one: string, other: string): boolean {
  if (one === other) return true
  const [a, b] = [toDecimal(one), toDecimal(other)]
  return a.digits === b.digits && (a.digits === '' || (a.exponent === b.exponent && a.sign === b.sign))
}

/** A number without the zeros that mean nothing. `Infinity` has no digits that any other text has. */
function toDecimal(text: string): { sign: string; digits: string; exponent: number } {
  const [, sign = '', whole = text, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const all = whole + fraction
  let end = all.length
  while (end > 0 && all[end - 1] === '0') end -= 1
  const digits = all.slice(0, end).replace(/^0+/, '')
  return { sign, digits, exponent: Number(exponent) - fraction.length + all.length - end }
}

/** A copy of the value with numbers of JavaScript alone. */
export function roundNumbers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof LongNumber) return Number(value)
  if (Array.isArray(value)) return value.map(roundNumbers)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, roundNumbers(item)]))
}

/** The same object with numbers of JavaScript where its own fields are numbers; what is further down stays. */
export function roundFields<T extends object>(record: T): T {
  const long = Object.entries(record).filter(([, value]) => value instanceof LongNumber)
  return long.length === 0
    ? record
    : { ...record, ...Object.fromEntries(long.map(([key, value]) => [key, Number(value)])) }
}

/** Where the first one stands, as a JSON Pointer. */
export function findLongNumber(
  value: unknown,
  isSought = (_number: LongNumber): boolean => true,
): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof LongNumber) return isSought(value) ? '' : undefined
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'object' || item === null) continue
    const below = findLongNumber(item, isSought)
    if (below !== undefined) return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}${below}`
  }
  return undefined
}
