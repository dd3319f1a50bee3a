import { type Backend, type Clock, createDispatcher, sleep, type Tuning } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { percentile } from '../line/ideal-line.ts'
import { median } from '../numbers/statistics.ts'
import { createReadingBackend, type Message, promptOf, type ServedCall } from './reading-box.ts'
import type { Scenario, Talk } from './scenarios.ts'

/** How a scenario went. Times in milliseconds. */
export interface WarmFigures {
  readonly wallMs: number
  readonly medianMs: number
  readonly p95Ms: number
  /** Undefined: no real server says it. */
  readonly readTokens: number | undefined
  /** The longest time from the start of an event that came later to the start of one that waited. */
  readonly overtakenMs: number
}

/** An event from its arrival to its answer. */
export interface ServedEvent {
  readonly askedAt: number
  readonly startedAt: number
  readonly answeredAt: number
}

export interface Arm {
  readonly tuning?: Partial<Tuning>
  /** Each caller has a box of its own, by its name. */
  readonly isSticky?: boolean
}

/** On a virtual clock, with boxes that take the time which reading and writing would take. */
export async function runSimulated(scenario: Scenario, arm: Arm): Promise<WarmFigures> {
  const clock = createVirtualClock()
  const served: ServedCall[] = []
  const backends = Array.from({ length: scenario.boxes }, (_, index) =>
    createReadingBackend(`box-${index}`, scenario, { clock, onServed: (call) => void served.push(call) }),
  )
  let events: ServedEvent[] | undefined
  const running = runTalks(scenario, arm, { clock, backends, startOf: startsOf(served) }).then((done) => {
    events = done
  })
  while (!events) await clock.advance(500)
  await running
  return figuresOf(
    events,
    served.reduce((sum, { readTokens }) => sum + readTokens, 0),
  )
}

/** Of a prompt, when a box began with it; no two prompts of a scenario are the same. */
const startsOf = (served: readonly ServedCall[]) => (prompt: string) =>
  served.find((call) => call.prompt === prompt)?.startedAt

interface World {
  readonly clock: Clock
  readonly backends: readonly Backend[]
  startOf(prompt: string): number | undefined
}

/** Sends all that is asked, as it becomes due, and waits for the last answer. */
export async function runTalks(scenario: Scenario, arm: Arm, world: World): Promise<ServedEvent[]> {
  const { clock, backends } = world
  const dispatcher = createDispatcher({
    clock,
    random: () => 0.5,
    ...arm.tuning,
    backends: backends.map((backend) => ({ backend })),
  })
  const callers = [...new Set(scenario.talks.map(({ caller }) => caller))]
  const hold = async (talk: Talk): Promise<ServedEvent[]> => {
    const messages: Message[] = [{ role: 'system', content: talk.system }]
    const events: ServedEvent[] = []
    const box = backends[callers.indexOf(talk.caller) % backends.length]?.name
    for (const { user, answerTokens, afterMs } of talk.questions) {
      if (afterMs > 0) await sleep(clock, afterMs)
      messages.push({ role: 'user', content: user })
      const askedAt = clock.now()
      const outcome = await dispatcher.onEvent(
        {
          content: { messages },
          parameters: { max_tokens: answerTokens },
          timeout_ms: 3_600_000,
          ...(talk.model !== undefined && { model: talk.model }),
          ...(arm.isSticky && { backend: box }),
        },
        { caller: talk.caller },
      )
      if (outcome.error) throw new Error(`${scenario.name}: ${outcome.error}: ${outcome.details}`)
      const answeredAt = clock.now()
      events.push({ askedAt, startedAt: world.startOf(promptOf(messages)) ?? answeredAt, answeredAt })
      messages.push({ role: 'assistant', content: outcome.completion })
    }
    return events
  }
  const all = await Promise.all(scenario.talks.map(hold))
  await dispatcher.close()
  return all.flat()
}

export function figuresOf(events: readonly ServedEvent[], readTokens: number | undefined): WarmFigures {
  const answers = events.map(({ askedAt, answeredAt }) => answeredAt - askedAt)
  return {
    wallMs:
      Math.max(...events.map(({ answeredAt }) => answeredAt)) -
      Math.min(...events.map(({ askedAt }) => askedAt)),
    medianMs: median(answers),
    p95Ms: percentile(answers, 0.95),
    readTokens,
    overtakenMs: longestOvertaking(events),
  }
}

function longestOvertaking(events: readonly ServedEvent[]): number {
  const byStart = [...events].sort((one, other) => one.startedAt - other.startedAt)
  let longest = 0
  for (const [index, event] of byStart.entries()) {
    const first = byStart.slice(0, index).find((other) => other.askedAt > event.askedAt)
    if (first) longest = Math.max(longest, event.startedAt - first.startedAt)
  }
  return longest
}
