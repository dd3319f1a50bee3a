import type { GenerationEnd } from '../contract/backend.ts'
import { isWithinDepth } from '../contract/json-value.ts'
import type { CheckedAnswer, Problem, Validate } from './answer-schema.ts'
import { ANSWER_LIMITS } from './answer-schema.ts'
import { type Candidate, findJson, isUnfinished } from './find-json.ts'

export interface AnswerRules {
  readonly validate: Validate
  /** The schema is of a string: an answer without quotes is one. */
  readonly takesText: boolean
}

/**
 * Finds the data in an answer. The first value in it that matches wins; if none does, the problems are those of the
 * first. JSON that is complete counts, whatever ended the text; JSON that was cut off is never completed by guessing.
 */
export async function checkAnswer(
  { text, reasoning, finish_reason, raw_finish_reason }: GenerationEnd,
  { validate, takesText }: AnswerRules,
): Promise<CheckedAnswer> {
  if (text.length > ANSWER_LIMITS.length) return wrong(TOO_LONG)
  const endedForLength = finish_reason === 'length' || raw_finish_reason === 'length'
  // Thoughts took all there was: it never came to an answer.
  const isOnlyThoughts = text === '' && Boolean(reasoning)
  const isCutOff = endedForLength && (isOnlyThoughts || isUnfinished(text))
  let problems: readonly Problem[] | undefined
  for (const candidate of isCutOff ? completeOnly(findJson(text)) : readAs(text, takesText)) {
    const verdict = isWithinDepth(candidate.value, ANSWER_LIMITS.depth)
      ? await validate(candidate.value)
      : { ok: false as const, problems: [TOO_DEEP] }
    if (verdict.ok) return { ...verdict, ...ending(candidate) }
    problems ??= verdict.problems
  }
  return { ok: false, problems: isCutOff ? [CUT_OFF] : (problems ?? [NO_JSON]), isCutOff }
}

function* readAs(text: string, takesText: boolean): Generator<Candidate> {
  yield* findJson(text)
  const value = text.trim().replace(/^(["'`])([\s\S]*)\1$/, '$2')
  if (takesText && value !== '') yield { value, text: JSON.stringify(value), isBare: false, isMended: true }
}

function* completeOnly(candidates: Iterable<Candidate>): Generator<Candidate> {
  for (const candidate of candidates) if (!candidate.isMended) yield candidate
}

const ending = ({ text, isBare, isMended }: Candidate) => ({ text, isBare, isMended })

const wrong = (problem: Problem): CheckedAnswer => ({ ok: false, problems: [problem], isCutOff: false })

const CUT_OFF: Problem = {
  path: '',
  rule: 'incomplete',
  message: 'the answer ended before its JSON was complete',
}
const NO_JSON: Problem = { path: '', rule: 'json', message: 'the answer holds no JSON' }
const TOO_DEEP: Problem = { path: '', rule: 'depth', message: 'is nested too deeply' }
const TOO_LONG: Problem = { path: '', rule: 'length', message: 'the answer is too long' }
