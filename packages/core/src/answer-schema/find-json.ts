import { jsonrepair } from 'jsonrepair'
import { parseJson } from '../contract/json-value.ts'

/** A value that an answer may mean. */
export interface Candidate extends Mended {
  readonly isBare: boolean
}

/** JSON that stands between other text. */
export interface Place {
  readonly start: number
  readonly text: string
  /** Undefined: nothing can be made of it without guessing. */
  readonly found: Candidate | undefined
}

/** What an answer holds. */
export interface FoundJson {
  /** The answer without its thoughts. */
  readonly text: string
  /** It ends within thoughts, and nothing stands before them. */
  readonly isThoughts: boolean
  /** The whole of it as JSON; then as the JSON that this is a string of. */
  readonly whole: readonly Candidate[]
  /** Complete JSON in its text, in order. Empty where the whole is JSON. */
  readonly places: readonly Place[]
  /** A bracket at the end, or a quotation mark at the beginning, that never meets its partner. */
  readonly open: OpenEnd | undefined
}

/** JSON that is not complete at the end of a text. */
interface OpenEnd {
  readonly text: string
  /**
   * `cut`: it ends within a string, a list, a number or a pair. `unclosed`: nothing but brackets is missing, or it is
   * broken otherwise; whether something was to follow cannot be told.
   */
  readonly kind: 'cut' | 'unclosed'
}

/**
 * Finds JSON in an answer: as the whole of it, in Markdown fences, and in brackets between prose; what is broken is
 * mended. Goes over the text a few times, whatever it is.
 */
export function findJson(answer: string): FoundJson {
  const asIs = answer.replace(/^\uFEFF/, '').trim()
  const text = parse(asIs) ? asIs : behindThoughts(asIs)
  const whole = readWhole(text)
  const none = { text, isThoughts: false, whole, places: [], open: undefined }
  if (whole.length > 0) return none
  const thoughtsAt = openThoughts(text)
  if (thoughtsAt === 0) return { ...none, isThoughts: true }
  const said = text.slice(0, thoughtsAt)
  const { spans, openAt } = bracketSpans(said)
  const places = choosePlaces([...fencedSpans(said), ...spans], said)
  return { ...none, places, open: openEnd(said, places, openAt) }
}

function readWhole(text: string): Candidate[] {
  const whole = parse(text)
  if (!whole) return []
  // JSON that was written as a string of JSON.
  const inner = typeof whole.value === 'string' ? parse(whole.value) : undefined
  const bare: Candidate = { ...whole, isBare: true, isMended: false }
  return inner ? [bare, { ...inner, isBare: false, isMended: true }] : [bare]
}

function parse(text: string): { value: unknown; text: string } | undefined {
  if (text === '') return undefined
  try {
    return { value: parseJson(text), text }
  } catch {
    return undefined
  }
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Tags of thoughts, some with a prefix or attributes; Mistral's, Kimi's, and the channels of gpt-oss. */
const THOUGHTS_END =
  /<\/(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reasoning)>|\[\/THINK\]|◁\/think▷|<\|(?:end_of_thought|channel\|>final(?:<\|message)?)\|>/gi
const THOUGHTS_START =
  /<(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reasoning)(?:\s[^<>]{0,200})?>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|channel\|>analysis(?:<\|message)?)\|>/i

/**
 * Some models think aloud inside the text, and templates write the tag that opens it into the prompt: all before the
 * last tag that ends thoughts is no answer. A tag inside JSON is content.
 */
function behindThoughts(text: string): string {
  const ends = [...text.matchAll(THOUGHTS_END)]
  const { spans } = ends.length > 0 ? bracketSpans(text) : { spans: [] }
  // Where the JSON begins that holds the tags behind the one that is looked at: it is read once, however many there are.
  let inJsonFrom = text.length
  for (let last = ends.pop(); last; last = ends.pop()) {
    const { index } = last
    if (index >= inJsonFrom) continue
    const around = spans.findLast((span) => span.start <= index)
    if (around && index < around.end && parse(text.slice(around.start, around.end))) {
      inJsonFrom = around.start
      continue
    }
    return text.slice(index + last[0].length).trim()
  }
  return text
}

/** Where thoughts begin that never end: what follows is no answer either. */
function openThoughts(text: string): number | undefined {
  const start = text.search(THOUGHTS_START)
  if (start < 0) return undefined
  const around = bracketSpans(text).spans.find((span) => span.start <= start && start < span.end)
  return around && parse(text.slice(around.start, around.end)) ? undefined : start
}

/** More places than this are not looked at of each kind: an answer that needs them is not worth the time. */
const MOST_PLACES = 8
/** Mending wild text can take time that grows with its square. */
const MOST_MENDED = 4

/** The last places and the longest, in the order of the text: references like [1] may stand behind an answer. */
function choosePlaces(spans: readonly Span[], text: string): Place[] {
  const byLength = spans.toSorted((a, b) => b.end - b.start - (a.end - a.start))
  const inOrder = spans.toSorted((a, b) => a.end - b.end || b.start - a.start)
  const chosen = new Map<string, Span>()
  for (const span of new Set([...byLength.slice(0, MOST_PLACES), ...inOrder.slice(-MOST_PLACES)])) {
    const slice = text.slice(span.start, span.end)
    const known = chosen.get(slice)
    if (!known || known.start < span.start) chosen.set(slice, span)
  }
  let mended = 0
  const places: Place[] = []
  // From the last on: that is the one that counts.
  for (const [slice, { start }] of [...chosen].sort(([, a], [, b]) => b.start - a.start)) {
    const exact = parse(slice)
    const isTried = !exact && /^[[{]/.test(slice) && mended++ < MOST_MENDED
    const found = exact ? { ...exact, isMended: false } : isTried ? mendJson(slice) : undefined
    places.unshift({ start, text: slice, found: found && { ...found, isBare: false } })
  }
  return places
}

/** What stands in Markdown fences, without the white space around it. */
function fencedSpans(text: string): Span[] {
  const spans: Span[] = []
  for (const { index, 0: fence, 1: inside = '' } of text.matchAll(/```[^\n`]*\n([\s\S]*?)```/g)) {
    const start = index + fence.length - 3 - inside.trimStart().length
    const end = start + inside.trim().length
    if (end > start) spans.push({ start, end })
  }
  return spans
}

/**
 * The outermost bracketed parts of a text, from a `{` or `[` to its partner, and the place of the bracket that has
 * none, if there is one. Brackets inside strings do not count. Goes over the text once.
 */
function bracketSpans(text: string): { spans: Span[]; openAt: number | undefined } {
  const spans: Span[] = []
  let position = 0
  for (;;) {
    BRACKET.lastIndex = position
    const start = BRACKET.exec(text)?.index
    if (start === undefined) return { spans, openAt: undefined }
    const end = readBrackets(text, start).end
    if (end === undefined) return { spans, openAt: start }
    spans.push({ start, end })
    position = end
  }
}

const BRACKET = /[[{]/g

interface Brackets {
  /** The place behind the partner of the first bracket. Undefined: it has none. */
  readonly end: number | undefined
  readonly inString: boolean
  /** What closes the brackets that are still open, from the inside out. */
  readonly missing: string
}

function readBrackets(text: string, start: number): Brackets {
  const open: string[] = []
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{') open.push('}')
    else if (character === '[') open.push(']')
    else if (character === '}' || character === ']') {
      open.pop()
      if (open.length === 0) return { end: index + 1, inString, missing: '' }
    }
  }
  return { end: undefined, inString, missing: open.reverse().join('') }
}

/** What of the end of a text is JSON that never closes. A fence that closes says that nothing was to follow. */
function openEnd(text: string, places: readonly Place[], at: number | undefined): OpenEnd | undefined {
  if (at === undefined) {
    const isOpenText = places.length === 0 && /^"(?:[^"\\]+|\\[\s\S])*$/.test(text)
    return isOpenText ? { text, kind: 'cut' } : undefined
  }
  // Only places in fences stand behind a bracket without partner.
  if (places.some(({ start, found }) => start >= at && found)) return undefined
  const open = text.slice(at)
  return { text: open, kind: kindOfEnd(open, readBrackets(open, 0)) }
}

function kindOfEnd(open: string, { inString, missing }: Brackets): OpenEnd['kind'] {
  const end = open.trimEnd()
  // Its quotation marks may be miscounted.
  if (inString) return /[}\]]\s*(?:```)?$/.test(end) ? 'unclosed' : 'cut'
  if (missing.startsWith(']') || /[\w.+\-{[]$/.test(end.replace(/(?:true|false|null)$/, ''))) return 'cut'
  return parse(end.replace(/```$/, '') + missing) ? 'unclosed' : 'cut'
}

/** JSON that was read, and the value that it is, with all digits of its numbers. */
interface Mended {
  readonly value: unknown
  readonly text: string
  readonly isMended: boolean
}

const MENDABLE_LENGTH = 64 * 1024

/** Broken JSON without its small faults. Undefined where that would be a guess: nothing is made up, nothing left out. */
function mendJson(given: string): Mended | undefined {
  if (given.length > MENDABLE_LENGTH) return undefined
  const text = withoutStrayBackslashes(given)
  if (text === undefined || leavesOut(text)) return undefined
  try {
    const mended = jsonrepair(text)
    if (countNulls(mended) > countNulls(text) || losesApostrophe(text, mended)) return undefined
    return { value: parseJson(mended), text: mended, isMended: true }
  } catch {
    return undefined
  }
}

const TEXT = /"(?:[^"\\]+|\\[\s\S])*"|'(?:[^'\\\n]|\\.)*'/g
const withoutTexts = (json: string) => json.replace(TEXT, '""')

/** The mending of `'it's'` makes a quotation mark of the apostrophe. */
function losesApostrophe(json: string, mended: string): boolean {
  const quoted = json.match(TEXT)?.filter((text) => text.startsWith("'")).length ?? 0
  return countApostrophes(json) - 2 * quoted > countApostrophes(mended)
}

const countApostrophes = (json: string): number => json.split("'").length - 1

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
