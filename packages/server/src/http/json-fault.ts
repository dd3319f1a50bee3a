/** Where a text stops being JSON, and what is there: by its kind, never in its own words. */
export interface JsonFault {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number
  readonly kind: string
}

/** Undefined: the text is valid JSON. Takes time and space in proportion to the text, however deep it is. */
export function findJsonFault(text: string): JsonFault | undefined {
  const fault = scan(text)
  if (fault === undefined) return undefined
  let line = 1
  let start = 0
  for (let end = text.indexOf('\n'); end !== -1 && end < fault.at; end = text.indexOf('\n', start)) {
    line += 1
    start = end + 1
  }
  return { line, column: fault.at - start + 1, kind: fault.kind }
}

interface Fault {
  readonly at: number
  readonly kind: string
}

/** What may come next; the `first` ones also take the closing bracket. */
type Wanted = 'value' | 'first_value' | 'key' | 'first_key' | 'colon' | 'comma'

interface Scan {
  readonly text: string
  at: number
  wanted: Wanted
  /** Brackets that are open, by the one that closes each. */
  readonly open: ('}' | ']')[]
  /** Of the comma that was read last. */
  comma: number
}

function scan(text: string): Fault | undefined {
  const state: Scan = { text, at: 0, wanted: 'value', open: [], comma: 0 }
  for (;;) {
    state.at = skip(WHITESPACE, text, state.at)
    if (state.wanted === 'comma' && state.open.length === 0) {
      return state.at === text.length ? undefined : { at: state.at, kind: 'more text after the end' }
    }
    if (state.at === text.length) return { at: state.at, kind: END[state.wanted] }
    const fault = step(state, text.charAt(state.at))
    if (fault !== undefined) return fault
  }
}

const END: Readonly<Record<Wanted, string>> = {
  value: 'the end, where a value is missing',
  first_value: 'the end, before a closing bracket',
  key: 'the end, where a key is missing',
  first_key: 'the end, before a closing bracket',
  colon: 'the end, where a colon is missing',
  comma: 'the end, before a closing bracket',
}

/** Reads one token. */
function step(state: Scan, character: string): Fault | undefined {
  if (character === '}' || character === ']') return close(state, character)
  switch (state.wanted) {
    case 'colon':
      if (character !== ':') return { at: state.at, kind: 'a missing colon after a key' }
      return advance(state, 'value')
    case 'comma':
      if (character !== ',') return betweenValues(state, character)
      state.comma = state.at
      return advance(state, state.open.at(-1) === '}' ? 'key' : 'value')
    case 'key':
    case 'first_key':
      if (character !== '"') return { at: state.at, kind: keyKind(state, character) }
      return readText(state, 'colon')
    default:
      return readValue(state, character)
  }
}

function advance(state: Scan, wanted: Wanted): undefined {
  state.at += 1
  state.wanted = wanted
}

function close(state: Scan, bracket: '}' | ']'): Fault | undefined {
  const { at, open, wanted, comma } = state
  if (open.length === 0) return { at, kind: 'a closing bracket where a value is missing' }
  if (wanted === 'colon') return { at, kind: 'a missing colon after a key' }
  const isAfterComma = wanted === 'key' || (wanted === 'value' && open.at(-1) === ']')
  if (isAfterComma) return { at: comma, kind: 'a comma before a closing bracket' }
  if (wanted === 'value') return { at, kind: 'a closing bracket where a value is missing' }
  if (open.at(-1) !== bracket) return { at, kind: 'a closing bracket of the other kind' }
  open.pop()
  return advance(state, 'comma')
}

function readValue(state: Scan, character: string): Fault | undefined {
  if (character === '"') return readText(state, 'comma')
  if (character === '{' || character === '[') {
    state.open.push(character === '{' ? '}' : ']')
    return advance(state, character === '{' ? 'first_key' : 'first_value')
  }
  const end = skip(LITERAL, state.text, state.at)
  // `01` and `truely` are not a literal with something behind it.
  if (end === state.at || skip(WORD, state.text, end) > end) {
    return { at: state.at, kind: valueKind(state, character) }
  }
  state.at = end
  state.wanted = 'comma'
  return undefined
}

function readText(state: Scan, wanted: Wanted): Fault | undefined {
  const { text } = state
  let at = state.at + 1
  for (;;) {
    at = skip(PLAIN_TEXT, text, at)
    if (at === text.length) return { at, kind: 'the end within a text, whose quotation mark is missing' }
    const character = text.charAt(at)
    if (character === '"') break
    if (character !== '\\')
      return { at, kind: `${CONTROLS[character] ?? 'a raw control character'} within a text` }
    const end = skip(ESCAPE, text, at)
    if (end === at) return { at, kind: 'a backslash that begins no escape of JSON, within a text' }
    at = end
  }
  state.at = at + 1
  state.wanted = wanted
  return undefined
}

const CONTROLS: Readonly<Record<string, string>> = {
  '\n': 'a raw line feed',
  '\r': 'a raw carriage return',
  '\t': 'a raw tab',
}

const WHITESPACE = /[ \t\n\r]*/y
/** Anything but a quotation mark, a backslash and control characters. */
const PLAIN_TEXT = /[ !#-[\]-\uffff]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /[\w.+$-]+/y

/** The index behind what matches there, or the same one. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** What can be said of a character wherever it stands. */
function strayKind({ text, at }: Scan, character: string): string | undefined {
  if (character === "'" || character === '`') return 'a quotation mark that is not a double one'
  if (/[“”„«»‘’]/.test(character)) return 'a typographic quotation mark'
  if (character === '/' || character === '#') return 'a comment'
  if (/[\u00a0\u2000-\u200b\u2028\u2029\u3000\ufeff]/.test(character))
    return 'a space that JSON does not know'
  return text.charCodeAt(at) < 0x20 ? 'a control character' : undefined
}

function keyKind(state: Scan, character: string): string {
  if (character === ',') return 'a comma where a key is missing'
  if (/[\w$]/.test(character)) return 'a key without double quotation marks'
  return strayKind(state, character) ?? 'a character that begins no key'
}

function valueKind(state: Scan, character: string): string {
  if (character === ',') return 'a comma where a value is missing'
  if (/[\d.+-]/.test(character)) return 'a number that JSON does not know'
  if (/[\p{L}_$]/u.test(character)) return 'a bare word'
  return strayKind(state, character) ?? 'a character that begins no value'
}

function betweenValues(state: Scan, character: string): Fault {
  const kind = /["{[\w-]/.test(character) ? undefined : strayKind(state, character)
  return { at: state.at, kind: kind ?? 'a missing comma, or a quotation mark that ended a text too early' }
}
