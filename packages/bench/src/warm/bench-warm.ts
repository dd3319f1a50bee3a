import { createKoboldBackend, systemClock } from '@ai-ticket/core'
import { markdownTable } from '../numbers/markdown-table.ts'
import { bestPlan } from './best-plan.ts'
import { type Arm, figuresOf, runSimulated, runTalks, type WarmFigures } from './run-scenario.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'

export interface WarmRun {
  readonly scenario: string
  readonly figures: Readonly<Record<string, WarmFigures>>
}

const OLDEST = 'oldest first'
const STICKY = 'a box for each caller'
const WARM = 'warm first'
const PLAN = 'all arrivals known'

const OFF = { overtakeMs: 0 }

const ARMS: Readonly<Record<string, Arm>> = {
  [OLDEST]: { tuning: OFF },
  [STICKY]: { tuning: OFF, isSticky: true },
  [WARM]: {},
}

/** What the order of serving costs where a box keeps what it has read. With `kobold`: on real servers, by their URLs. */
export async function benchWarm({
  kobold,
  say,
}: {
  readonly kobold: readonly string[] | undefined
  say(what: string): void
}): Promise<WarmRun[]> {
  const runs: WarmRun[] = []
  for (const scenario of SCENARIOS) {
    if (kobold && (scenario.boxes > kobold.length || scenario.loadMs !== undefined)) continue
    say(scenario.name)
    const figures: Record<string, WarmFigures> = {}
    for (const [name, arm] of Object.entries(ARMS)) {
      figures[name] = kobold ? await runReal(scenario, arm, kobold) : await runSimulated(scenario, arm)
    }
    if (!kobold) figures[PLAN] = bestPlan(scenario)
    runs.push({ scenario: scenario.name, figures })
  }
  return runs
}

async function runReal(scenario: Scenario, arm: Arm, urls: readonly string[]): Promise<WarmFigures> {
  const backends = urls
    .slice(0, scenario.boxes)
    .map((url, index) => createKoboldBackend({ url, name: `box-${index}` }))
  const events = await runTalks(scenario, arm, { clock: systemClock, backends, startOf: () => undefined })
  return figuresOf(events, undefined)
}

/**
 * What was measured on real KoboldCPP 1.115.1 servers in November 2026, each against oldest first. The boxes here must
 * come within 15 % of it, or what is shown about them says nothing.
 */
const MEASURED: Readonly<Record<string, { readonly wall: number; readonly median?: number }>> = {
  'two automations in turn, one box': { wall: 5.45 / 17.95 },
  'four conversations, two boxes': { wall: 10.5 / 43.2, median: 0.8 / 8.2 },
  'two conversations with pauses, two boxes': { wall: 15.9 / 30.5 },
  'four conversations, two boxes with smartcache': { wall: 9.8 / 14.6 },
}

/** Those of the measured ratios that the simulated boxes miss by more than 15 %. */
export function missedCalibrations(runs: readonly WarmRun[]): string[] {
  return runs.flatMap(({ scenario, figures }) => {
    const { [OLDEST]: oldest, [PLAN]: plan } = figures
    const measured = MEASURED[scenario]
    if (!oldest || !plan || !measured) return []
    const checks = [
      { what: 'time', is: plan.wallMs / oldest.wallMs, was: measured.wall },
      { what: 'median answer', is: plan.medianMs / oldest.medianMs, was: measured.median },
    ]
    return checks.flatMap(({ what, is, was }) =>
      was === undefined || Math.abs(is / was - 1) <= 0.15
        ? []
        : [`${scenario}: ${what} ${is.toFixed(3)} ×, measured ${was.toFixed(3)} ×`],
    )
  })
}

/** What warm first has to reach, against oldest first. */
const WANTED: Readonly<Record<string, { readonly wall: number; readonly median?: number }>> = {
  'two automations in turn, one box': { wall: 0.35 },
  'four conversations, two boxes': { wall: 0.35, median: 0.2 },
  'two conversations with pauses, two boxes': { wall: 0.6 },
  'prompts that share nothing, two boxes': { wall: 1.01 },
  'two automations on two models, one box that swaps': { wall: 0.35 },
}

/** Those of the targets that are missed. */
export function missedWarmTargets(runs: readonly WarmRun[]): string[] {
  return runs.flatMap(({ scenario, figures }) => {
    const { [OLDEST]: oldest, [WARM]: warm } = figures
    const wanted = WANTED[scenario]
    if (!oldest || !warm || !wanted) return []
    const wall = warm.wallMs / oldest.wallMs
    const median = warm.medianMs / oldest.medianMs
    return [
      ...(wall > wanted.wall ? [`${scenario}: time ${wall.toFixed(3)} ×, wanted ${wanted.wall} ×`] : []),
      ...(wanted.median !== undefined && median > wanted.median
        ? [`${scenario}: median answer ${median.toFixed(3)} ×, wanted ${wanted.median} ×`]
        : []),
    ]
  })
}

export function warmTable(runs: readonly WarmRun[]): string {
  const head = [
    '',
    'order',
    'seconds',
    'against oldest first',
    'median answer, s',
    'p95, s',
    'tokens read',
    'longest wait behind a later event, s',
  ]
  const seconds = (ms: number) => (ms / 1000).toFixed(1)
  const rows = runs.flatMap(({ scenario, figures }) =>
    Object.entries(figures).map(([name, one], index) => [
      index === 0 ? scenario : '',
      name,
      seconds(one.wallMs),
      `${(one.wallMs / (figures[OLDEST]?.wallMs ?? Number.NaN)).toFixed(3)} ×`,
      (one.medianMs / 1000).toFixed(2),
      seconds(one.p95Ms),
      one.readTokens === undefined ? '–' : String(one.readTokens),
      one.readTokens === undefined ? '–' : seconds(one.overtakenMs),
    ]),
  )
  return markdownTable(head, rows)
}
