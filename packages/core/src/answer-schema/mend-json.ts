import { jsonrepair } from 'jsonrepair'
import { parseJson } from '../contract/json-value.ts'

/** JSON that was read, and the value that it is, with all digits of its numbers. */
export interface Mended {
  readonly value: unknown
  readonly text: string
  readonly isMended: boolean
}

const MENDABLE_LENGTH = 64 * 1024

/** Broken JSON without its small faults. Undefined where that would be a guess: nothing is made up, nothing left out. */
export function mendJson(given: string): Mended | undefined {
  if (given.length > MENDABLE_LENGTH) return undefined
  const text = withoutStrayBackslashes(given)
  if (text === undefined || leavesOut(text)) return undefined
  try {
    const mended = jsonrepair(text)
    if (countNulls(mended) > countNulls(text)) return undefined
    return { value: parseJson(mended), text: mended, isMended: true }
  } catch {
    return undefined
  }
}

const TEXT = /"(?:[^"\\]+|\\[\s\S])*"|'(?:[^'\\\n]|\\.)*'/g
const withoutTexts = (json: string) => json.replace(TEXT, '""')

/** `[1, 2, ...]` stands for more than it says, and `2.` or `1e` for a number that nobody wrote to its end. */
const leavesOut = (json: string): boolean =>
  /\.\.\.|…|[\d.][.eE][+-]?\s*[,}\]]|-\s*[,}\]]/.test(withoutTexts(json))

/** The mending of `{"a":}` and `{"a"}` is a null that nobody wrote. */
const countNulls = (json: string): number => withoutTexts(json).match(/\b(?:null|None)\b/g)?.length ?? 0

const QUOTED = /"(?:[^"\\]+|\\[\s\S])*"/g
/** One escape, valid or not, so that the second half of `\\` is not taken for the beginning of another. */
const ESCAPE = /\\(u[\da-fA-F]{4}|[\s\S])/gu

/** `stray` ones are none of JSON's. Before a letter or a digit they are content, before a punctuation mark Markdown. */
type EscapeKind = 'valid' | 'stray_letter' | 'stray_mark' | 'stray'

function kindOfEscape(what: string): EscapeKind {
  if (/^(?:["\\/bfnrt]|u.)/.test(what)) return 'valid'
  if (/[\p{L}\p{N}]/u.test(what)) return 'stray_letter'
  return /[!-~]/.test(what) ? 'stray_mark' : 'stray'
}

const kindsIn = (json: string): Set<EscapeKind> =>
  new Set(Array.from(json.matchAll(ESCAPE), ([, what = '']) => kindOfEscape(what)))

/**
 * The same with each backslash in its strings an escape of JSON. Before a letter or a digit a stray one is content
 * (`\d`, `C:\Users`); before a punctuation mark it is Markdown's (`\_`) and dropped. Undefined where both readings of a
 * backslash are at hand.
 */
function withoutStrayBackslashes(json: string): string | undefined {
  const kinds = kindsIn(json)
  if (kinds.has('stray')) return undefined
  if (!kinds.has('stray_letter')) return json.replace(QUOTED, dropMarks)
  // In strings with other quotation marks, and outside of strings, nobody knows.
  if (kindsIn(json.replace(QUOTED, '')).has('stray_letter')) return undefined
  let isDoubtful = false
  const read = json.replace(QUOTED, (text) => {
    const escaped = escapeBackslashes(text)
    isDoubtful ||= escaped === undefined
    return escaped ?? text
  })
  return isDoubtful ? undefined : read
}

const dropMarks = (text: string): string =>
  text.replace(ESCAPE, (whole, what: string) => (kindOfEscape(what) === 'stray_mark' ? what : whole))

/** A path as Windows writes it, up to the next blank. */
const PATH = /(?<![\p{L}\p{N}])[A-Za-z]:(?:\\[^\\\s"/:*?<>|]+)+(?:\\(?=\s))?/gu

/** A string in JSON whose writer does not escape backslashes. */
function escapeBackslashes(text: string): string | undefined {
  const others = text.replace(PATH, '').replaceAll('\\"', '')
  if (others !== text.replaceAll('\\"', '')) {
    // What stands beside a path may be its end: `C:\Program Files\new`.
    return others.includes('\\') ? undefined : text.replace(PATH, (path) => path.replaceAll('\\', '\\\\'))
  }
  if (!others.includes('\\')) return text
  // Other languages know `\x41` and `\u{1f600}`.
  if (/\\(?:x[\da-f]{2}|u\{)/i.test(others)) return undefined
  const kinds = kindsIn(others)
  if (kinds.has('stray_mark')) return undefined
  // A backspace and a form feed are nothing that a model means.
  if (!kinds.has('stray_letter')) return /\\[bf]/.test(others) ? undefined : text
  if (kinds.has('valid')) return undefined
  return text.replace(ESCAPE, (whole, what: string) => (what === '"' ? whole : `\\${whole}`))
}
