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

  get isWhole(): boolean {
    return /^-?\d+$/.test(this.#source)
  }

  override toString(): string {
    return this.#source
  }

  toJSON(): object {
    return rawJSON(this.#source)
  }
}

/** Sixteen digits and more, or an exponent of three: only such numbers may lose some of them. Strings may look so, too. */
const MAY_BE_LONG = /\d[\d.]{15}|\d[eE][+-]?\d{3}/

export const mayHoldLongNumber = (json: string): boolean => MAY_BE_LONG.test(json)

/**
 * `JSON.parse`, but numbers that would lose digits become a `LongNumber`. Costs little more where there is none. A
 * reviver would be told of the digits as well, but is called for every value, which takes ten times as long.
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
