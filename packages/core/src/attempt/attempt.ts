import type { Endpoint, GenerationEnd } from '../contract/backend.ts'
import { sleep } from '../contract/clock.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { AttemptRecord, SchemaCertificate } from '../contract/outcome.ts'
import type { Turn } from '../contract/prompt.ts'
import type { CallFailure, Run, RunFailure } from '../event/run.ts'
import { canCarry } from '../scheduler/candidates.ts'
import type { AnswerSample, Lease } from '../scheduler/lease.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { type AnsweredCall, type Call, callOnce, type Place, type Visit } from './call.ts'
import { addressOf, Conversations } from './conversation.ts'
import { wasTruncated } from './fit-context.ts'
import { certify, NO_REPAIRS, type Repairs, repairsAfter, reported } from './match-answer.ts'
import { backoffMs, nextStep, type SameBackendStep, type Situation, staysAtBackend } from './next-step.ts'

export interface AttemptContext extends ResolvedOptions {
  readonly scheduler: Scheduler
}

/** A whole answer, and where it came from. */
export interface Answer {
  readonly end: GenerationEnd
  readonly backend: string
  readonly endpoint: string
  readonly isTruncated: boolean
  readonly dropped: readonly number[]
  /** It goes on with a text of the caller's: its white space belongs to it. */
  readonly continues: boolean
  /** Of an event with a schema. */
  readonly matched?: Matched | undefined
}

interface Matched {
  readonly data: unknown
  /** The JSON of the answer. */
  readonly text: string
  readonly certificate: SchemaCertificate
}

/** How an event ended, and what it took. */
export interface Attempted {
  readonly result: Result<Answer, RunFailure>
  readonly attempts: AttemptRecord[]
  /** Milliseconds in the waiting line. */
  readonly waitedMs: number
  /** Of them, milliseconds since it was first overtaken by a warm prompt. */
  readonly overtakenMs: number
}

/** Attempts an event. A bug of ours must not lose it: then it ends as `internal_error`. */
export async function attempt(run: Run, context: AttemptContext): Promise<Attempted> {
  const story: Story = { attempts: [], waitedMs: 0, overtakenMs: 0 }
  try {
    return { result: await runLoop(run, context, story), ...story }
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error
    context.logger.error('internal error', { ...run.logFields, error })
    const details = `The desk failed with ${name}; see its log.`
    return { result: failure({ code: 'internal_error', details }), ...story }
  }
}

/** What has happened so far. Only the loop writes it, and a failure of the loop leaves it readable. */
interface Story {
  readonly attempts: AttemptRecord[]
  waitedMs: number
  overtakenMs: number
}

/** The one loop over backends, endpoints and repeats: `nextStep` decides, this acts. */
async function runLoop(run: Run, context: AttemptContext, story: Story): Promise<Result<Answer, RunFailure>> {
  const tried = new Set<string>()
  let visit: Visit | undefined
  let verdict: CallFailure | undefined
  let repairs = NO_REPAIRS
  let isReturning = false
  for (;;) {
    if (!visit) {
      const onAdmitted = isReturning ? undefined : () => run.sink?.admitted(run.id)
      const grant = await context.scheduler.take({ event: run, tried, isReturning, onAdmitted })
      story.waitedMs += grant.waitedMs
      story.overtakenMs += grant.overtakenMs
      if (!grant.lease.ok) return failure(endOf(grant.lease.failure, { failed: verdict, repairs }))
      const opened = await openVisit(run, context, grant.lease.value)
      if (!opened.ok) return opened
      visit = opened.value
    }
    const { lease } = visit
    const call: Call = await callOnce(run, context, visit).catch((error: unknown) => {
      // A bug, of an adapter or of a logger that was handed in: it must not keep the slot.
      lease.leave({ type: 'unused' })
      throw error
    })
    if (call.record) story.attempts.push(call.record)
    if (call.type === 'aborted') {
      lease.leave(call)
      return failure({ ...call.reason, partial: call.text })
    }
    if (call.type === 'answered') {
      lease.leave({ type: 'answered', sample: sampleOf(call), answer: turnOf(call) })
      return success(toAnswer(run, context, { visit, call, repairs }))
    }
    const { failure: failed, text, isHandedOn } = call
    if (!failed.endpointMissing) verdict = failed
    lease.failed(failed)
    const timeLeftMs = run.deadlineAt - context.clock.now()
    const step = nextStep(
      failed,
      situationOf(visit, context, { failed, tried, isHandedOn, timeLeftMs, repairs }),
    )
    if (staysAtBackend(step)) {
      const moved = await moveOn(run, context, { visit, step, failed, repairs })
      if (moved.ok) {
        if (step.type === 'repair') repairs = repairsAfter(repairs, failed)
        visit = moved.value
        continue
      }
      lease.leave({ type: 'failed', failure: failed })
      return moved
    }
    lease.leave({ type: 'failed', failure: failed })
    if (step.type === 'stop') return failure(endOf(verdict ?? failed, { failed, text, repairs }))
    if (step.type === 'next_backend') tried.add(lease.backend.name)
    isReturning = true
    visit = undefined
  }
}

/** Takes its first place at a backend, with a conversation that fits there; leaves the slot where none does. */
async function openVisit(run: Run, context: AttemptContext, lease: Lease): Promise<Result<Visit>> {
  const place = firstPlace(endpointsFor(run, lease))
  const conversations = new Conversations(run, lease, context)
  const conversation = await conversations.startAt(place).catch((error: unknown) => {
    lease.leave({ type: 'unused' })
    throw error
  })
  if (conversation.ok) return success({ lease, place, conversations, conversation: conversation.value })
  lease.leave({ type: 'unused' })
  return conversation
}

/** A schema takes precedence over a continuation: an endpoint that follows a schema may not take a text. */
function endpointsFor({ prompt, continues, answerSchema }: Run, { backend }: Lease) {
  const able = backend.endpoints.filter((endpoint) => canCarry(endpoint, prompt))
  if (!continues || answerSchema) return able
  return [...able.filter(({ turns }) => !turns), ...able.filter(({ turns }) => turns)]
}

interface Move {
  readonly visit: Visit
  readonly step: SameBackendStep
  readonly failed: CallFailure
  readonly repairs: Repairs
}

/** Makes ready for the next call in the same slot. Fails when the run was ended meanwhile. */
async function moveOn(
  { answerSchema, cancellation, stand }: Run,
  { clock }: AttemptContext,
  { visit, step, failed, repairs }: Move,
): Promise<Result<Visit, RunFailure>> {
  const { lease, conversations, conversation } = visit
  const place = placeAfter(visit.place, step)
  if (step.type === 'repeat') {
    lease.countRepeat()
    stand.isPausing = true
    const paused = await cancellation.until(sleep(clock, step.afterMs, cancellation.signal))
    return paused.ok ? success({ ...visit, place }) : paused
  }
  if (step.type === 'repair') {
    const { partial = '', problems = [] } = failed
    const more = answerSchema?.repairTurns(partial, problems) ?? []
    const extended = await conversations.extend(conversation, more)
    if (cancellation.isCancelled) return failure(cancellation.reason)
    // Where the longer conversation does not fit, the answer that did not match is the end of it.
    if (!extended.ok) return failure(endOf(failed, { failed, repairs }))
    return success({ ...visit, place, conversation: extended.value })
  }
  if (cancellation.isCancelled) return failure(cancellation.reason)
  if (!answerSchema) return success({ ...visit, place })
  const started = await conversations.startAt(place)
  return started.ok ? success({ ...visit, place, conversation: started.value }) : started
}

function situationOf(
  { lease, place, conversation }: Visit,
  { tuning, random }: AttemptContext,
  after: {
    readonly failed: CallFailure
    readonly tried: ReadonlySet<string>
    readonly isHandedOn: boolean
    readonly timeLeftMs: number
    readonly repairs: Repairs
  },
): Situation {
  const others = lease.alternatives(after.tried)
  return {
    // A repair is no repeat of a call that failed.
    calls: place.call - place.repairs,
    maxCalls: tuning.attempts,
    hasNextEndpoint: place.nextEndpoints.length > 0,
    hasOtherBackend: others.exist,
    otherIsReady: others.areReady,
    isLoading: after.failed.stopped === 'not_sent' && lease.isLoading(),
    isHandedOn: after.isHandedOn,
    timeLeftMs: after.timeLeftMs,
    backoffMs: backoffMs(
      { repeat: place.call, random: random() },
      { baseMs: tuning.backoffBaseMs, capMs: tuning.backoffCapMs },
    ),
    mayRepeat: lease.mayRepeat(),
    repairsLeft: tuning.repairs - after.repairs.count,
    isEnforced: conversation.isEnforced,
  }
}

function toAnswer(
  { answerSchema, continues, logFields }: Run,
  { logger }: AttemptContext,
  { visit, call, repairs }: { visit: Visit; call: AnsweredCall; repairs: Repairs },
): Answer {
  const { place, conversation } = visit
  const { end, matching } = call
  const { backend } = visit.lease
  const isCutThere = wasTruncated(conversation, end.usage?.prompt_tokens, cutContext(visit.lease))
  const isTruncated = isCutThere || conversation.isCut === true
  if (isCutThere) logger.warn('the backend cut the prompt', { ...logFields, backend: backend.name })
  // Refused with the schema and taken without: the same would happen to the next event.
  if (place.isRelaxed) answerSchema?.refusedBy.add(addressOf(backend, place.endpoint))
  return {
    end,
    backend: backend.name,
    endpoint: place.endpoint.name,
    isTruncated,
    dropped: conversation.dropped,
    continues,
    matched: matching && {
      data: matching.data,
      text: matching.text,
      certificate: certify(matching, conversation.isEnforced, repairs),
    },
  }
}

/** The context of a server that cuts a prompt to exactly what its answer leaves of it (fact 65 of KoboldCPP). */
const cutContext = ({ backend, knownContextLength }: Lease): number | undefined =>
  backend.server?.provider === 'koboldcpp' ? knownContextLength() : undefined

const sampleOf = ({ end, record }: AnsweredCall): AnswerSample => ({
  usage: end.usage,
  cachedTokens: end.cached_prompt_tokens,
  durationMs: record.duration_ms,
  firstTokenMs: record.first_token_ms,
})

/** The answer as the next prompt of its conversation will hold it. */
const turnOf = ({ end, matching }: AnsweredCall): Turn => ({
  role: 'assistant',
  content: matching?.text ?? end.text,
  ...(end.tool_calls?.length && { tool_calls: end.tool_calls }),
})

/** `said`: the verdict on the event. `failed`: the last call, and what it has left behind. */
function endOf(
  { code, details, retryAfterMs }: Failure,
  { failed, text, repairs }: { failed: CallFailure | undefined; text?: string | undefined; repairs: Repairs },
): RunFailure {
  const partial = failed?.problems ? failed.partial : text || failed?.partial
  return {
    code,
    details,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    partial,
    ...(failed?.problems ? { schema: { repairs: repairs.count, errors: reported(failed.problems) } } : {}),
  }
}

/** The first call of an endpoint. */
const FIRST_CALL = { call: 1, repairs: 0, pauseMs: 0, isRelaxed: false } as const

/** At the first of the endpoints. There is always one: a backend without any is not chosen. */
export function firstPlace([endpoint, ...nextEndpoints]: readonly Endpoint[]): Place {
  if (!endpoint)
    throw new Error('A backend was chosen that has no endpoint for the event, or none is left there.')
  return { endpoint, nextEndpoints, ...FIRST_CALL }
}

/** Where a step leads that stays at the same backend. Pure. */
export function placeAfter(place: Place, step: SameBackendStep): Place {
  switch (step.type) {
    case 'repeat':
      return { ...place, call: place.call + 1, pauseMs: step.afterMs }
    case 'repair':
      return { ...place, call: place.call + 1, repairs: place.repairs + 1, pauseMs: 0 }
    case 'relax':
      return { ...place, call: place.call + 1, pauseMs: 0, isRelaxed: true }
    case 'next_endpoint':
      return firstPlace(place.nextEndpoints)
  }
}
