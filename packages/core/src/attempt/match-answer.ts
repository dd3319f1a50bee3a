import {
  ANSWER_LIMITS,
  type AnswerSchema,
  type CheckedAnswer,
  type Problem,
} from '../answer-schema/answer-schema.ts'
import type { GenerationEnd } from '../contract/backend.ts'
import type { SchemaCertificate, SchemaError } from '../contract/outcome.ts'
import type { CallFailure } from '../event/run.ts'
import { foundByDesk } from './classify.ts'

/** What ended an answer that was cut. */
export interface Limit {
  readonly words: string
  readonly remedy: string
}

export type MatchingAnswer = Extract<CheckedAnswer, { ok: true }>

/** An answer held against the schema: its data, or the failure that it counts as. Never throws. */
export async function holdAgainst(
  answerSchema: AnswerSchema,
  end: GenerationEnd,
  limit: Limit,
): Promise<MatchingAnswer | CallFailure> {
  try {
    const checked = await answerSchema.check(end)
    return checked.ok ? checked : mismatch(end, checked, limit)
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error
    return foundByDesk({
      code: 'configuration_error',
      details: `The schema of the event threw ${name} when it read an answer; this is a bug of the schema.`,
    })
  }
}

function mismatch(end: GenerationEnd, checked: Mismatch, limit: Limit): CallFailure {
  const { problems, isCutOff } = checked
  const details = isCutOff
    ? describeCut(end, checked, limit)
    : `The answer does not match the schema: ${listed(problems)}.`
  return {
    ...foundByDesk({ code: 'output_schema_mismatch', details }),
    partial: end.text,
    problems,
    isBeyondRepair: isCutOff || problems.some(({ rule }) => rule === 'complexity'),
  }
}

type Mismatch = Extract<CheckedAnswer, { ok: false }>

function describeCut({ finish_reason }: GenerationEnd, { isThinking }: Mismatch, limit: Limit): string {
  if (isThinking)
    return 'The model was still thinking when the answer ended; raise `max_tokens`, or ask for fewer thoughts.'
  return finish_reason === 'length'
    ? `The answer ${limit.words} before its JSON was complete; ${limit.remedy}.`
    : 'The answer ended before its JSON was complete; look for a stop string that JSON may hold.'
}

/** How often the model was asked to correct its answer, and what was wrong with the last that it was asked about. */
export interface Repairs {
  readonly count: number
  readonly problems: readonly Problem[]
}

export const NO_REPAIRS: Repairs = { count: 0, problems: [] }

export const repairsAfter = ({ count }: Repairs, { problems = [] }: CallFailure): Repairs => ({
  count: count + 1,
  problems,
})

/** How an answer came to match. */
export function certify(
  { isBare, isMended }: MatchingAnswer,
  isEnforced: boolean,
  { count, problems }: Repairs,
): SchemaCertificate {
  return {
    enforced_by: count > 0 ? 'repair' : isEnforced && isBare ? 'backend' : 'validator',
    repairs: count,
    ...(isMended ? { mended: true as const } : {}),
    ...(count > 0 ? { errors: reported(problems) } : {}),
  }
}

/** So many fit into one line. */
const MOST_LISTED = 3

function listed(problems: readonly Problem[]): string {
  const shown = problems.slice(0, MOST_LISTED).map(({ path, rule }) => `${path || 'as a whole'} (${rule})`)
  const more = problems.length - shown.length
  // Of a wild answer not even the number is known.
  if (problems.length >= ANSWER_LIMITS.problems) return `${shown.join(', ')} and many more`
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

/** A wild answer breaks every rule; nobody reads all of that. */
const MOST_REPORTED = 20

/** What may leave the desk: places and rules, each once, without the values. */
export function reported(problems: readonly Problem[]): SchemaError[] {
  const seen = new Map<string, SchemaError>()
  for (const { path, rule } of problems) {
    if (seen.size >= MOST_REPORTED) break
    seen.set(`${path} ${rule}`, { path, rule })
  }
  return [...seen.values()]
}
