import type { PruneRequest } from '../ticket/ticket-store.ts'
import { problem } from './problems.ts'
import { readTime } from './read-event.ts'

const KNOWN: readonly string[] = ['finished_before', 'keep', 'failed', 'dry_run']

/** The body of `POST /tickets/prune`. Throws a `RequestProblem`: nobody removes everything by a mistyped name. */
export function readPrune(body: unknown): PruneRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw problem('invalid_input_format', 'The body must be an object with `finished_before` or `keep`.')
  const unknown = Object.keys(body).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined)
    throw problem('invalid_input_format', `There is no \`${unknown}\`. Known: ${KNOWN.join(', ')}.`)
  const given = body as Readonly<Record<string, unknown>>
  const finishedBefore = readTime('finished_before', given.finished_before)
  const keep = readCount(given.keep)
  const failed = readSwitch('failed', given.failed)
  if (finishedBefore === undefined && (failed || keep === undefined))
    throw problem('invalid_input_format', `\`finished_before\` is missing${failed ? '' : ', or `keep`'}.`)
  return {
    ...(finishedBefore === undefined ? {} : { finishedBefore }),
    ...(failed ? {} : { deadLettersBefore: 0 }),
    ...(keep === undefined ? {} : { keep }),
    dryRun: readSwitch('dry_run', given.dry_run),
  }
}

function readCount(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
  throw problem('invalid_input_format', '`keep` must be a whole number from 0 on.')
}

function readSwitch(name: string, value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  throw problem('invalid_input_format', `\`${name}\` must be true or false.`)
}
