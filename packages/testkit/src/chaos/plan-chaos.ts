import {
  type ChaosPlan,
  type ChaosReply,
  type ChaosTarget,
  type ChaosTruth,
  type Choice,
  createChoice,
  type Exchange,
  MAX_TOKENS,
  type PlanContext,
} from './chaos-plan.ts'
import { planMeaning } from './meaning.ts'
import { planPlain } from './plain-reply.ts'
import { planFirstFailure, planRefusal } from './refusals.ts'
import { planStream } from './stream-reply.ts'

/** For `planChaos`. */
export interface ChaosOptions {
  /** For real sockets and real time: nothing that lasts, and what a reset connection may lose is not asked for. */
  readonly overSockets?: boolean
}

/** The plan of a seed. */
export function planChaos(seed: number, { overSockets = false }: ChaosOptions = {}): ChaosPlan {
  const choice = createChoice(seed)
  const target = planTarget(choice)
  const context = { choice, target, pauses: !overSockets }
  const { reply: whole, truth: planned, timeoutMs = overSockets ? 60_000 : 600_000 } = planExchange(context)
  const reply = overSockets ? withCut(whole, choice) : whole
  const first = planned.ends === 'answer' && choice.happens(0.1) ? planFirstFailure(context) : undefined
  const isLong = durationOf(reply) * planned.mostCalls > timeoutMs
  const timely = isLong ? withDeadline(planned) : planned
  const counted = first ? { ...timely, mostCalls: timely.mostCalls + 1 } : timely
  const losesBytes = reply.end === 'reset' || reply.lostBytes !== undefined
  const truth = overSockets && losesBytes ? withLoss(counted, target, first) : counted
  const notes = [
    `${target.backend} ${target.endpoint} ${target.streams ? 'streamed' : 'whole'}`,
    ...choice.notes,
  ]
  const perf = planPerf(choice, overSockets)
  return { seed, ...target, maxTokens: MAX_TOKENS, timeoutMs, first, reply, perf, truth, notes }
}

/** A compressed body that breaks off within its last block. */
function withCut(reply: ChaosReply, choice: Choice): ChaosReply {
  // A proxy may end the connection cleanly all the same.
  const share = reply.end === 'reset' || reply.end === 'short' ? 0.5 : reply.end === 'close' ? 0.2 : 0
  return reply.compression.length > 0 && choice.happens(share)
    ? { ...reply, lostBytes: choice.between(1, 20) }
    : reply
}

/** Counters that do not belong to the answer: they must not change what it says. */
function planPerf(choice: Choice, overSockets: boolean): object | undefined {
  const counters = [
    {},
    // Of a generation long past, and of one that had another length.
    { last_token_count: MAX_TOKENS + 400, stop_reason: 0, total_gens: 9 },
    { last_token_count: 0, stop_reason: -1, total_gens: 0 },
    { last_token_count: 'many', stop_reason: 'limit', last_process: null, last_eval: 'NaN' },
    { last_process: -1, last_eval: 1e308, queue: -3 },
    // A proxy that lets it not pass is told to stop for 15 s, which are real over sockets.
    overSockets ? {} : undefined,
  ]
  return choice.happens(0.5) ? {} : choice.pick(counters)
}

const durationOf = ({ headAfterMs, steps }: ChaosReply): number =>
  steps.reduce((sum, { afterMs }) => sum + afterMs, headAfterMs)

/** Its time may be up before its answer has come. */
const withDeadline = (truth: ChaosTruth): ChaosTruth => ({
  ...truth,
  ends: truth.ends === 'answer' ? 'either' : truth.ends,
  codes: [...truth.codes, 'deadline_exceeded'],
})

/** A reset takes away what was not read before, of each call as much as it likes. */
const withLoss = (
  truth: ChaosTruth,
  { backend }: ChaosTarget,
  first: ChaosReply | undefined,
): ChaosTruth => ({
  ...truth,
  mayLose: true,
  usage: undefined,
  // With the count goes what tells the limit of a KoboldCPP from its end.
  finish: backend === 'kobold' && truth.finish.includes('length') ? [...truth.finish, 'stop'] : truth.finish,
  ends: truth.ends === 'answer' ? 'either' : truth.ends,
  codes: [...truth.codes, 'api_connection_error', 'api_stream_interrupted'],
  mostCalls: Math.max(truth.mostCalls, first ? 4 : 3),
})

function planTarget(choice: Choice): ChaosTarget {
  const backend = choice.pick(['openai', 'openai', 'kobold'] as const)
  const endpoint =
    backend === 'openai'
      ? choice.pick(['chat', 'chat', 'chat', 'text'] as const)
      : choice.pick(['chat', 'chat', 'text', 'native'] as const)
  return { backend, endpoint, streams: choice.happens(0.75) }
}

function planExchange(context: PlanContext): Exchange {
  const { choice, target } = context
  if (choice.happens(0.12)) return planRefusal(context)
  const meaning = planMeaning(context)
  const isOdd = choice.happens(0.08)
  // Some servers stream to everybody, others to nobody.
  const streams = target.endpoint !== 'native' && isOdd ? !target.streams : target.streams
  if (streams !== target.streams) choice.note(streams ? 'streams unasked' : 'does not stream')
  return streams ? planStream(context, meaning) : planPlain(context, meaning)
}
