import { createDispatcher, DEFAULTS, type Dispatcher, type Outcome, sleep } from '@ai-ticket/core'
import { createChoice, createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { createSimulatedBackend, type SimulatedBackend } from './simulated-backend.ts'

// Arrivals, faults, closed ports, hang-ups and deadlines on a virtual clock, chosen by a seed. A failure prints the
// seed; AI_TICKET_SIMULATION_SEED=n runs that one alone.
const LONG = process.env.AI_TICKET_LONG === '1'
const ONE = process.env.AI_TICKET_SIMULATION_SEED
const SEEDS = ONE ? [Number(ONE)] : Array.from({ length: LONG ? 10_000 : 1_000 }, (_, index) => index + 1)
const EVENTS = 30
const STOP_MS = 400

interface World {
  readonly backends: readonly SimulatedBackend[]
  readonly concurrency: readonly number[]
  readonly stories: readonly Story[]
  readonly recorded: readonly Outcome[]
  readonly waiting: number
}

interface Story {
  readonly id: string
  readonly deadlineAt: number
  left?: boolean
  leftAt?: number
  ends: number
  outcome?: Outcome
  endedAt?: number
}

async function simulate(seed: number): Promise<World> {
  const { next: random } = createChoice(seed)
  const clock = createVirtualClock()
  const count = 1 + Math.floor(random() * 3)
  const backends = Array.from({ length: count }, (_, index) =>
    createSimulatedBackend({
      name: `b${index}`,
      clock,
      random,
      workMs: 200 + random() * 4_000,
      stopMs: STOP_MS * random(),
    }),
  )
  const concurrency = backends.map(() => (random() < 0.8 ? 1 : 2))
  const recorded: Outcome[] = []
  const dispatcher = createDispatcher({
    clock,
    random,
    lineCapacity: random() < 0.3 ? 5 : 1_000,
    backends: backends.map((backend, index) => ({ backend, concurrency: concurrency[index] ?? 1 })),
    onOutcome: (outcome) => recorded.push(outcome),
  })
  const context = { clock, random, dispatcher }
  for (const backend of backends) {
    backend.faultiness = random() < 0.5 ? random() * 0.5 : 0
    void disturb(context, backend)
  }
  const stories: Story[] = []
  for (let index = 0; index < EVENTS; index++) {
    void sendLater(context, { id: `e${index}`, deadlineAt: 0, ends: 0 }, stories)
  }
  // Longer than any arrival and any deadline together: whoever is not through by then waits for ever.
  await clock.advance(400_000)
  const { waiting } = await healthOf(dispatcher, clock)
  const closed = dispatcher.close()
  await clock.advance(60_000)
  await closed
  return { backends, concurrency, stories, recorded, waiting }
}

interface Context {
  readonly clock: ReturnType<typeof createVirtualClock>
  readonly random: () => number
  readonly dispatcher: Dispatcher
}

async function healthOf(dispatcher: Dispatcher, clock: Context['clock']) {
  const health = dispatcher.health()
  await clock.advance(30_000)
  return health
}

/** Short, or long and beginning like others, so that what backends have read takes part in who is served. */
const contentOf = (random: () => number): string =>
  random() < 0.5 ? 'x' : `${`family ${Math.floor(random() * 3)} `.repeat(80)}${random()}`

/** Closes the port or falls silent for a while, now and then. All are up again at the end. */
async function disturb({ clock, random }: Context, backend: SimulatedBackend): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await sleep(clock, random() * 30_000)
    if (random() < 0.5) continue
    backend.state = random() < 0.5 ? 'refusing' : 'black_hole'
    await sleep(clock, random() * 20_000)
    backend.state = 'up'
  }
}

async function sendLater(
  { clock, random, dispatcher }: Context,
  story: Story,
  stories: Story[],
): Promise<void> {
  const leaving = new AbortController()
  const timeoutMs = Math.ceil(random() < 0.2 ? random() * 5_000 + 1 : 30_000 + random() * 120_000)
  const leavesAfterMs = random() < 0.2 ? random() * 10_000 : undefined
  const event = {
    id: story.id,
    content: contentOf(random),
    timeout_ms: timeoutMs,
    priority: Math.floor(random() * 5) - 2,
  }
  const streams = random() < 0.3
  await sleep(clock, random() * 60_000)
  const known: Story = { ...story, deadlineAt: clock.now() + timeoutMs }
  stories.push(known)
  if (leavesAfterMs !== undefined) {
    void sleep(clock, leavesAfterMs).then(() => {
      if (known.ends > 0 || known.left) return
      known.left = true
      known.leftAt = clock.now()
      leaving.abort(new Error('left'))
    })
  }
  // Some leave before the desk has even looked at their event.
  if (leavesAfterMs !== undefined && leavesAfterMs < 1_000) {
    queueMicrotask(() => {
      known.left = true
      known.leftAt = clock.now()
      leaving.abort(new Error('left at once'))
    })
  }
  const options = { signal: leaving.signal, caller: `c${Math.floor(random() * 3)}` }
  try {
    if (streams) {
      for await (const item of dispatcher.streamEvent(event, options)) {
        if (item.type === 'done' || item.type === 'error') known.outcome = item.outcome
      }
    } else known.outcome = await dispatcher.onEvent(event, options)
  } catch (error) {
    if (!known.left) throw error
  }
  known.ends += 1
  known.endedAt = clock.now()
}

/** What must not be in a world. Plain comparisons: half a million `expect` would take longer than all that they look at. */
function judge({ backends, concurrency, stories, recorded, waiting }: World): readonly string[] {
  const found: string[] = []
  const must = (holds: boolean, rule: string) => {
    if (!holds) found.push(rule)
  }
  must(stories.length === EVENTS, `there are ${EVENTS} events`)
  must(waiting === 0, 'nobody waits for ever')
  for (const story of stories) {
    const { id, deadlineAt, endedAt = Number.POSITIVE_INFINITY } = story
    must(story.ends === 1, `${id} has exactly one end`)
    const outcomes = recorded.filter((outcome) => outcome.id === id)
    must(outcomes.length === 1, `${id} has exactly one recorded outcome`)
    if (story.left) must(endedAt === story.leftAt, `${id} ends when its caller leaves`)
    must(endedAt <= deadlineAt, `${id} ends by its deadline`)
    for (const attempt of outcomes[0]?.attempts ?? []) {
      const startedAt = Date.parse(attempt.started_at) - Date.UTC(2026, 0, 1)
      must(startedAt <= deadlineAt, `${id} starts nothing after its deadline`)
    }
  }
  for (const [index, backend] of backends.entries()) {
    must(backend.running === 0, `${backend.name} is at rest`)
    must(backend.mostRunning <= (concurrency[index] ?? 1), `${backend.name} has its slots`)
    for (const { abortedAt, endedAt = Number.POSITIVE_INFINITY } of backend.calls) {
      if (abortedAt !== undefined)
        must(endedAt - abortedAt <= STOP_MS, `${backend.name} stops when it is told to`)
    }
    must(isWithinBudget(backend, recorded), `${backend.name} is asked again within its budget`)
  }
  return found
}

/** Repeats on one endpoint, within any minute: a fifth of the backend's calls, but ten at least. */
function isWithinBudget({ name }: SimulatedBackend, recorded: readonly Outcome[]): boolean {
  const attempts = recorded
    .flatMap((outcome) => outcome.attempts)
    .filter(({ backend }) => backend === name)
    .map((attempt) => ({ at: Date.parse(attempt.started_at), isRepeat: attempt.number > 1 }))
  return attempts.every(({ at }) => {
    const window = attempts.filter((other) => other.at > at - 59_000 && other.at <= at)
    const repeats = window.filter(({ isRepeat }) => isRepeat).length
    const allowed = Math.max(DEFAULTS.retryBudgetFloor, DEFAULTS.retryBudgetRatio * window.length)
    // A repeat is granted before its pause, so that those of one pause more may fall into a window.
    return repeats <= allowed + 2
  })
}

test(`${SEEDS.length} seeds: slots, outcomes, deadlines and the retry budget hold`, {
  timeout: 1_200_000,
}, async () => {
  for (const seed of SEEDS) {
    const found = judge(await simulate(seed))
    if (found.length > 0) expect.fail(`AI_TICKET_SIMULATION_SEED=${seed} fails: ${found.join('; ')}`)
  }
})
