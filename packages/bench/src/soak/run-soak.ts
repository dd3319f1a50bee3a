import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent } from 'undici'
import { driveLoad } from '../load/drive-load.ts'
import { type Field, startField } from '../load/field/start-field.ts'
import { type LoadReport, makeLoadReport } from '../load/load-report.ts'
import { lookAfter } from '../load/look-after.ts'
import { planLoad } from '../load/plan/plan-load.ts'
import { createTally, progressOf, sumOfKinds, type Tally } from '../load/tally.ts'
import { askInside, type Holdings } from './ask-inside.ts'
import { isAtRest, judgeSoak, type Sample, type SoakLimits, type SoakVerdict } from './judge-soak.ts'
import { startControl } from './start-control.ts'

export interface SoakOptions extends SoakLimits {
  readonly seconds: number
  /** Samples of this long are dropped. */
  readonly warmUpSeconds: number
  readonly everySeconds: number
  /** How much of their time the boxes shall be at work, from 0 to 1. */
  readonly share: number
  readonly boxes: number
  readonly connections: number
  readonly seed: number
}

export interface RunSoakOptions extends SoakOptions {
  readonly folder: string
  /** Modules that are loaded into the server before its program. */
  readonly preloads?: readonly string[]
  say(what: string): void
}

export interface SoakReport {
  readonly options: SoakOptions
  /** Requests a second that made the share. */
  readonly rate: number
  /** What the boxes really worked, from 0 to 1. */
  readonly reachedShare: number
  /** How late 1 % of the turns of the event loop of a process that does nothing were meanwhile, in milliseconds. */
  readonly idleLoopP99Ms: number
  readonly verdict: SoakVerdict
  readonly restBefore: Holdings
  readonly restAfter: Holdings
  readonly samples: readonly Sample[]
  readonly load: LoadReport
  readonly problems: readonly string[]
}

const INSIDE = fileURLToPath(new URL('./inside.mjs', import.meta.url))
/** Long enough for every kind of request to come a few times. */
const TRIAL = { seconds: 10, perBox: 5 }
const REST_PATIENCE_MS = 20_000

/** Loads a server for as long as it is told, looks into its process meanwhile, and judges what it holds. */
export async function runSoak({
  folder,
  preloads = [],
  say,
  ...options
}: RunSoakOptions): Promise<SoakReport> {
  const { seconds, warmUpSeconds, share, connections, seed } = options
  const nodeFlags = ['--expose-gc', ...[INSIDE, ...preloads].flatMap((path) => ['--import', path])]
  await using field = await startField({ folder, nodeFlags, withChannel: true, boxes: options.boxes, seed })
  await using control = startControl(INSIDE)
  const { boxes, desk } = field
  const count = boxes.boxes.length
  const workMs = () => boxes.boxes.reduce((sum, box) => sum + box.workMs, 0)

  say('how long a request keeps a box busy')
  const tally = createTally()
  const trialRate = TRIAL.perBox * count
  await drive(field, { tally, seed: seed + 1, rate: trialRate, seconds: TRIAL.seconds, connections })
  const sent = Math.max(1, sumOfKinds(tally, 'sent'))
  const rate = (share * count * 1000) / (workMs() / sent)
  await lookAfter(desk.url)
  const restBefore = await restOf(desk.child)

  say(`${seconds} s with ${rate.toFixed(1)} requests a second`)
  const workBefore = workMs()
  const samples: Sample[] = []
  await askInside(control.child, 'reset')
  const sampling = new AbortController()
  const sampler = takeSamples(field, {
    ...options,
    signal: sampling.signal,
    samples,
    say: () => say(progressOf(tally)),
  })
  await drive(field, { tally, seed, rate, seconds, connections })
  sampling.abort()
  await sampler
  const { loopP99Ms: idleLoopP99Ms } = await askInside(control.child)
  const reachedShare = (workMs() - workBefore) / (seconds * 1000 * count)
  const aftermath = await lookAfter(desk.url)
  const restAfter = await restOf(desk.child, restBefore)
  const verdict = judgeSoak(
    { samples: samples.filter(({ atMs }) => atMs >= warmUpSeconds * 1000), restBefore, restAfter },
    options,
  )
  const load = makeLoadReport({ options: { ...options, rate, boxes: count }, tally, boxes, aftermath })
  const problems = [...verdict.problems, ...load.problems]
  return {
    options,
    rate,
    reachedShare,
    idleLoopP99Ms,
    verdict,
    restBefore,
    restAfter,
    samples,
    load,
    problems,
  }
}

interface Drive {
  readonly tally: Tally
  readonly seed: number
  readonly rate: number
  readonly seconds: number
  readonly connections: number
}

/** Over connections of its own, which are closed at the end. */
async function drive(
  { boxes, line }: Field,
  { tally, seed, rate, seconds, connections }: Drive,
): Promise<void> {
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const plan = planLoad({ seed, rate })
  // The keys of tickets carry the seed: the trial and the load must not meet.
  const own = { ...line, dispatcher, run: String(seed) }
  await driveLoad({ plan, durationMs: seconds * 1000, connections, line: own, boxes, tally })
  await dispatcher.close()
}

interface Sampling extends Pick<SoakOptions, 'everySeconds' | 'warmUpSeconds'> {
  readonly samples: Sample[]
  readonly signal: AbortSignal
  say(): void
}

async function takeSamples(
  { desk }: Field,
  { samples, everySeconds, warmUpSeconds, signal, say }: Sampling,
): Promise<void> {
  const startedAt = performance.now()
  let isWarm = false
  for (;;) {
    // Rejects when the load is over, which is looked at next.
    await sleep(everySeconds * 1000, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    const atMs = performance.now() - startedAt
    const turnsWarm: boolean = !isWarm && atMs >= warmUpSeconds * 1000
    isWarm ||= turnsWarm
    samples.push({ atMs, ...(await askInside(desk.child, turnsWarm ? 'reset' : 'look')) })
    if (samples.length % 10 === 0) say()
  }
}

/** As soon as no more is held than before; without a before, or after 20 s, as it is then. */
async function restOf(child: Field['desk']['child'], before?: Holdings): Promise<Holdings> {
  const endAt = performance.now() + REST_PATIENCE_MS
  // Closed connections are seen a moment later.
  await sleep(2000)
  for (;;) {
    const now = await askInside(child)
    if (before === undefined || isAtRest(now, before) || performance.now() > endAt) return now
    await sleep(1000)
  }
}
