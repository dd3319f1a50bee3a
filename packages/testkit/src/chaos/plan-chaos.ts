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

export interface ChaosOptions {
  /** For real sockets and real time: nothing that lasts, and what a reset connection may lose is not asked for. */
  readonly overSockets?: boolean
}

/** The plan of a seed. */
export function planChaos(seed: number, { overSockets = false }: ChaosOptions = {}): ChaosPlan {
  const choice = createChoice(seed)
  const target = planTarget(choice)
  const context = { choice, target, pauses: !overSockets }
  const { reply, truth: planned, timeoutMs = overSockets ? 60_000 : 600_000 } = planExchange(context)
  const first = planned.ends === 'answer' && choice.happens(0.1) ? planFirstFailure(context) : undefined
  const isLong = durationOf(reply) * planned.mostCalls > timeoutMs
  const timely = isLong ? { ...planned, codes: [...planned.codes, 'deadline_exceeded'] } : planned
  const counted = first ? { ...timely, mostCalls: timely.mostCalls + 1 } : timely
  const truth = overSockets && reply.end === 'reset' ? withLoss(counted) : counted
  const notes = [
    `${target.backend} ${target.endpoint} ${target.streams ? 'streamed' : 'whole'}`,
    ...choice.notes,
  ]
  return { seed, ...target, maxTokens: MAX_TOKENS, timeoutMs, first, reply, truth, notes }
}

const durationOf = ({ headAfterMs, steps }: ChaosReply): number =>
  steps.reduce((sum, { afterMs }) => sum + afterMs, headAfterMs)

/** A reset takes away what was not read before. */
const withLoss = (truth: ChaosTruth): ChaosTruth => ({
  ...truth,
  ends: truth.ends === 'answer' ? 'either' : truth.ends,
  codes: [...truth.codes, 'api_connection_error', 'api_stream_interrupted'],
  mostCalls: Math.max(truth.mostCalls, 3),
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
