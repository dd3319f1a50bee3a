import { answerOf, createReadingBox, LOCKED_MS, type Message, promptOf } from './reading-box.ts'
import { figuresOf, type ServedEvent, type WarmFigures } from './run-scenario.ts'
import type { Scenario, Talk } from './scenarios.ts'

/**
 * The quickest plan found for somebody who knows all arrivals, and whom nobody minds overtaking: callers are spread over
 * the boxes in every way (or, where there are many, evenly), and each box stays with what is warm, waiting for it up to
 * some known time. It bounds what serving can reach, from above: a better plan may exist.
 */
export function bestPlan(scenario: Scenario): WarmFigures {
  const callers = [...new Set(scenario.talks.map(({ caller }) => caller))]
  let best: WarmFigures | undefined
  for (const assigned of assignments(callers, scenario.boxes)) {
    for (const patienceMs of [0, 10, 200, 1_000, 4_000]) {
      const figures = carryOut(scenario, assigned, patienceMs)
      if (!best || figures.wallMs < best.wallMs) best = figures
    }
  }
  if (!best) throw new Error('A scenario without callers has no plan.')
  return best
}

type Assignment = ReadonlyMap<string, number>

const MOST_ASSIGNMENTS = 64

function assignments(callers: readonly string[], boxes: number): Assignment[] {
  const count = boxes ** callers.length
  if (count > MOST_ASSIGNMENTS) return [new Map(callers.map((caller, index) => [caller, index % boxes]))]
  return Array.from({ length: count }, (_, number) => {
    return new Map(callers.map((caller, index) => [caller, Math.floor(number / boxes ** index) % boxes]))
  })
}

function carryOut(scenario: Scenario, assigned: Assignment, patienceMs: number): WarmFigures {
  const events: ServedEvent[] = []
  let readTokens = 0
  for (let box = 0; box < scenario.boxes; box++) {
    const own = scenario.talks.filter(({ caller }) => assigned.get(caller) === box)
    const done = serveBox(scenario, own, patienceMs)
    events.push(...done.events)
    readTokens += done.readTokens
  }
  return figuresOf(events, readTokens)
}

interface OpenTalk {
  readonly talk: Talk
  readonly messages: Message[]
  next: number
  readyAt: number
  prompt: string
}

function serveBox(scenario: Scenario, talks: readonly Talk[], patienceMs: number) {
  const box = createReadingBox(scenario)
  const open = talks.map((talk): OpenTalk => {
    const messages: Message[] = [{ role: 'system', content: talk.system }]
    return ask({ talk, messages, next: 0, readyAt: talk.questions[0]?.afterMs ?? 0, prompt: '' })
  })
  const events: ServedEvent[] = []
  let readTokens = 0
  let now = 0
  for (let left = open.filter(isOpen); left.length > 0; left = open.filter(isOpen)) {
    const chosen = choose(left, box, now, patienceMs)
    const { answerTokens = 0 } = chosen.talk.questions[chosen.next] ?? {}
    const startedAt = Math.max(now, chosen.readyAt)
    const answer = answerOf(chosen.prompt, answerTokens)
    const served = box.serve({ prompt: chosen.prompt, answer, model: chosen.talk.model })
    const answeredAt = startedAt + served.workMs
    readTokens += served.readTokens
    events.push({ askedAt: chosen.readyAt, startedAt, answeredAt })
    now = answeredAt + LOCKED_MS
    chosen.messages.push({ role: 'assistant', content: answer })
    chosen.next += 1
    chosen.readyAt = answeredAt + (chosen.talk.questions[chosen.next]?.afterMs ?? 0)
    ask(chosen)
  }
  return { events, readTokens }
}

const isOpen = ({ talk, next }: OpenTalk) => next < talk.questions.length

function ask(talk: OpenTalk): OpenTalk {
  const question = talk.talk.questions[talk.next]
  if (question) talk.messages.push({ role: 'user', content: question.user })
  talk.prompt = promptOf(talk.messages)
  return talk
}

/** The warmest of those that are there, or come before the patience ends; else whoever is there first. */
function choose(
  left: readonly OpenTalk[],
  box: ReturnType<typeof createReadingBox>,
  now: number,
  patienceMs: number,
): OpenTalk {
  const soonest = Math.min(...left.map(({ readyAt }) => readyAt))
  const until = Math.max(now + patienceMs, soonest)
  const known = left.filter(({ readyAt }) => readyAt <= until)
  const ranked = known
    .map((talk) => {
      const isLoaded = talk.talk.model === undefined || talk.talk.model === box.loaded
      return { talk, isLoaded, warm: box.warmTokens(talk.prompt) }
    })
    .sort(
      (one, other) =>
        Number(other.isLoaded) - Number(one.isLoaded) ||
        other.warm - one.warm ||
        one.talk.readyAt - other.talk.readyAt,
    )
  const [first] = ranked
  if (!first) throw new Error('There is always somebody left.')
  return first.talk
}
