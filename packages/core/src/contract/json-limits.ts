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
    else if (code === QUOTE) at = endOfText(json, at)
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
function endOfText(json: string, start: number): number {
  let at = start + 1
  for (let code = json.charCodeAt(at); at < json.length && code !== QUOTE; code = json.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1
  }
  return at
}

const inWords = (count: number): string => count.toLocaleString('en-US')
