import type { GenerationEnd } from '../contract/backend.ts'
import {
  findLongNumber,
  isPlainObject,
  isWithinDepth,
  kindOf,
  LongNumber,
  mayHoldLongNumber,
  roundNumbers,
} from '../contract/json-value.ts'
import type { CheckedAnswer, Problem, Purse, Validate, Verdict } from './answer-schema.ts'
import { ANSWER_LIMITS } from './answer-schema.ts'
import { type Candidate, type FoundJson, findJson, type Place } from './find-json.ts'

export interface AnswerRules {
  readonly validate: Validate
  /** The schema is of a string: an answer without quotes is one. */
  readonly takesText: boolean
  /** The data are the answer itself, and not what the schema makes of it. */
  readonly keepsDigits: boolean
}

interface Rules extends AnswerRules {
  readonly purse: Purse
}

/**
 * Finds the data in an answer: the last value in it that matches, for drafts and examples stand before it. Where the
 * answer itself may be something else, because it was cut off or cannot be read, there are no data. JSON that is
 * complete counts, whatever ended the text; JSON that was cut off is never completed by guessing.
 */
export async function checkAnswer(end: GenerationEnd, given: AnswerRules): Promise<CheckedAnswer> {
  const rules: Rules = { ...given, purse: { steps: 0 } }
  const { text, reasoning, finish_reason, raw_finish_reason } = end
  if (text.length > ANSWER_LIMITS.length) return wrong([TOO_LONG])
  const endedForLength = finish_reason === 'length' || raw_finish_reason === 'length'
  const found = findJson(text)
  // Thoughts took all there was: it never came to an answer.
  const isOnlyThoughts = text === '' && (end.ended_in_thoughts || (endedForLength && Boolean(reasoning)))
  if (isOnlyThoughts || found.isThoughts) return { ...cutOff(STILL_THINKING), isThinking: true }
  const isCut = finish_reason === 'length' || finish_reason === 'content_filter'
  // Digits may have been to follow.
  if (isCut && isNumber(found.whole[0]?.value)) return cutOff(CUT_OFF)
  const checked = await checkFound(found, rules, endedForLength)
  if (checked.ok || checked.isCutOff || !rules.takesText) return checked
  const value = found.text.replace(/^(["'`])([\s\S]*)\1$/, '$2')
  if (value === '') return checked
  const asText = { value, text: JSON.stringify(value), isBare: false, isMended: true }
  const verdict = await judge(asText, rules)
  if (!verdict.ok) return checked
  // A text without quotation marks does not show its end.
  return isCut ? cutOff(CUT_OFF) : right(asText, verdict.data)
}

async function checkFound(
  { whole, places, open }: FoundJson,
  rules: Rules,
  endedForLength: boolean,
): Promise<CheckedAnswer> {
  let problems: readonly Problem[] | undefined
  for (const candidate of whole) {
    const verdict = await judge(candidate, rules)
    if (verdict.ok) return right(candidate, verdict.data)
    problems ??= verdict.problems
  }
  const judged: Judged[] = []
  for (const place of places) {
    judged.push({ place, verdict: place.found ? await judge(place.found, rules) : UNREADABLE })
  }
  const best = lastMatch(judged)
  if (open && looksLikeJson(open.text) && (!best || isOfSameKind(open.text, best.place.text))) {
    return endedForLength || open.kind === 'cut' ? cutOff(CUT_OFF) : wrong([CUT_OFF])
  }
  if (!best) return endedForLength && open ? cutOff(CUT_OFF) : wrong(problems ?? problemsOfLongest(judged))
  const rival = judged.findLast((one) => one.place.start > best.place.start && isRival(one, best))
  return rival && !rival.verdict.ok
    ? wrong(rival.verdict.problems)
    : right(best.place.found, best.verdict.data)
}

interface Judged {
  readonly place: Place
  readonly verdict: Verdict
}

interface Match {
  readonly place: Place & { readonly found: Candidate }
  readonly verdict: Extract<Verdict, { ok: true }>
}

const isMatch = (one: Judged): one is Match => one.verdict.ok && one.place.found !== undefined

/** A reference like [1] may match a list of numbers; it stands behind what it is about. */
function lastMatch(judged: readonly Judged[]): Match | undefined {
  const matches = judged.filter(isMatch)
  return matches.findLast(({ place }) => !/^\[\d{1,3}\]$/.test(place.text)) ?? matches.at(-1)
}

/** Whether something that does not match may be what the answer meant, and the match before it a draft or an example. */
function isRival({ place, verdict }: Judged, { place: best }: Match): boolean {
  if (verdict.ok || !isOfSameKind(place.text, best.text)) return false
  if (!place.found) return looksLikeJson(place.text)
  const [one, other] = [place.found.value, best.found.value]
  if (Array.isArray(one) && Array.isArray(other)) return one.length > 0 && kindOf(one[0]) === kindOf(other[0])
  return (
    isPlainObject(one) && isPlainObject(other) && Object.keys(one).some((key) => Object.hasOwn(other, key))
  )
}

const isOfSameKind = (one: string, other: string): boolean => one[0] === other[0]

/** Brackets stand in prose, too. */
const looksLikeJson = (text: string): boolean =>
  text.startsWith('"') ||
  /^(?:\{\s*(?:["'“}]|[\w$]+\s*:|$)|\[\s*(?:["'“{[\]\d-]|true|false|null|$))/.test(text)

/** The longest is the most likely to have been meant. */
function problemsOfLongest(judged: readonly Judged[]): readonly Problem[] {
  const [longest] = judged
    .filter(({ place }) => place.found)
    .toSorted((a, b) => b.place.text.length - a.place.text.length)
  return longest && !longest.verdict.ok
    ? longest.verdict.problems
    : [judged.some(({ place }) => looksLikeJson(place.text)) ? BROKEN : NO_JSON]
}

/** Validators know the numbers of JavaScript; the data keep the digits that they had in the answer. */
async function judge({ value, text }: Candidate, { validate, keepsDigits, purse }: Rules): Promise<Verdict> {
  if (!isWithinDepth(value, ANSWER_LIMITS.depth)) return { ok: false, problems: [TOO_DEEP] }
  if (!mayHoldLongNumber(text)) return await validate(value, purse)
  const verdict = await validate(roundNumbers(value), purse)
  if (!verdict.ok) return verdict
  if (keepsDigits) return { ok: true, data: value }
  // What another schema makes of its values is its own: a whole number would be another one there.
  const path = findLongNumber(value, ({ isWhole }) => isWhole)
  return path === undefined ? verdict : { ok: false, problems: [{ ...TOO_MANY_DIGITS, path }] }
}

const right = ({ text, isBare, isMended }: Candidate, data: unknown): CheckedAnswer => ({
  ok: true,
  data,
  text,
  isBare,
  isMended,
})

const isNumber = (value: unknown) => typeof value === 'number' || value instanceof LongNumber

const wrong = (problems: readonly Problem[]): CheckedAnswer => ({ ok: false, problems, isCutOff: false })
const cutOff = (problem: Problem) => ({ ok: false, problems: [problem], isCutOff: true }) as const

const CUT_OFF: Problem = {
  path: '',
  rule: 'incomplete',
  message: 'the answer ended before its JSON was complete',
}
const STILL_THINKING: Problem = {
  path: '',
  rule: 'incomplete',
  message: 'the answer ended within its thoughts',
}
const NO_JSON: Problem = { path: '', rule: 'json', message: 'the answer holds no JSON' }
const BROKEN: Problem = {
  path: '',
  rule: 'json',
  message: 'the answer holds no valid JSON; escape each backslash and quotation mark in its strings',
}
const TOO_DEEP: Problem = { path: '', rule: 'depth', message: 'is nested too deeply' }
const TOO_LONG: Problem = { path: '', rule: 'length', message: 'the answer is too long' }
const TOO_MANY_DIGITS = { rule: 'digits', message: 'has more digits than a number can hold' }
const UNREADABLE: Verdict = { ok: false, problems: [BROKEN] }
