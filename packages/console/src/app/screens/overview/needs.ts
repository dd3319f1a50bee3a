import type { DeskBody, SeriesBody } from '../../api/desk.ts'
import { duration, plural } from '../../parts/format.ts'
import { percent } from './figures.ts'

/** Something that an operator should look at. */
export interface Need {
  /** The alert of `examples/observability/alerts.yml` that says the same; undefined: none does. */
  readonly alert?: string
  readonly isCritical: boolean
  readonly words: string
  /** What others said about it: not our words. */
  readonly details?: string
  /** What to do about it. */
  readonly advice: string
  /** The screen to act on, below the console's address. */
  readonly path: string
  readonly screen: string
}

type Backend = DeskBody['backends'][number]

/** What is known of the server. */
export interface Known {
  readonly desk: DeskBody
  /** Tickets that failed since they were last looked at. */
  readonly failed: number
  /** What was counted in the last hour; undefined: that is not known (yet). */
  readonly series?: SeriesBody | undefined
  /** Why the server cannot be reached; undefined: it can. */
  readonly isAway?: boolean
}

/** As the alerts of the example have them. */
export const LIMITS = {
  AiTicketLineFillsUp: 0.8,
  AiTicketWaitsTooLong: 120,
  AiTicketEventsFail: 0.05,
  AiTicketWastesGeneration: 0.2,
  AiTicketEventLoopLate: 0.25,
  AiTicketTicketsWait: 3_600,
  AiTicketCallbacksFail: 1_000,
} as const
/** So many are counted at most. */
const MOST_DEAD = 200
/** For how long an alert looks back, in minutes. */
const [FAILURES_MINUTES, WASTE_MINUTES, LATE_MINUTES] = [10, 15, 5]

const LINE = { path: 'line', screen: 'Line' } as const
const CALLBACKS = { path: 'access', screen: 'Access' } as const
const FAILED = { path: 'tickets?status=failed', screen: 'Tickets' } as const

/** What needs somebody now, the worst first. */
export function needsOf({ desk, failed, series, isAway = false }: Known): readonly Need[] {
  const needs = [
    ...(isAway ? [AWAY] : []),
    ...storeNeeds(desk),
    ...desk.backends.flatMap(backendNeeds),
    ...lineNeeds(desk),
    ...(series ? countedNeeds(series, desk) : []),
    ...ticketNeeds(desk, failed),
    ...callbackNeeds(desk),
  ]
  return [...needs.filter(({ isCritical }) => isCritical), ...needs.filter(({ isCritical }) => !isCritical)]
}

const AWAY: Need = {
  alert: 'AiTicketAway',
  isCritical: true,
  words: 'This server does not answer',
  advice: 'Look whether it runs, and what it logged last. This page goes on by itself.',
  ...CALLBACKS,
}

function storeNeeds({ store }: DeskBody): readonly Need[] {
  if (store.status !== 'unavailable') return []
  return [
    {
      alert: 'AiTicketStoreAway',
      isCritical: true,
      words: 'The ticket store does not answer; no tickets are accepted',
      ...(store.details !== undefined && { details: store.details }),
      advice: 'Mend its disk or its database. This server need not be restarted.',
      path: 'tickets',
      screen: 'Tickets',
    },
  ]
}

function backendNeeds({ name, state, details, breaker, paused, repeats_left }: Backend): readonly Need[] {
  const told = details === undefined ? {} : { details }
  const isDown = state === 'down'
  const needs: (Need | false | undefined)[] = [
    isDown && {
      alert: 'AiTicketBackendDown',
      isCritical: true,
      words: `${name} is down`,
      ...told,
      advice: 'Start its server, or read its log, then probe it.',
      ...LINE,
    },
    state === 'stuck' && {
      alert: 'AiTicketBackendStuck',
      isCritical: true,
      words: `${name} does not stop a generation that nobody wants`,
      ...told,
      advice: 'Restart its server if it stays so.',
      ...LINE,
    },
    paused && {
      isCritical: false,
      words: `${name} is paused by ${paused.by}: nothing new goes there`,
      advice: 'Resume it when it may work again.',
      ...LINE,
    },
    // Both follow from its being down.
    !isDown &&
      breaker === 'open' && {
        alert: 'AiTicketBreakerOpen',
        isCritical: false,
        words: `${name} is left out: its breaker is open`,
        advice: 'See what its calls failed with. It is tried again by itself.',
        ...FAILED,
      },
    !isDown &&
      repeats_left === 0 && {
        alert: 'AiTicketRetryBudgetSpent',
        isCritical: false,
        words: `${name} fails so often that calls are no longer repeated`,
        advice: 'See what its calls failed with.',
        ...FAILED,
      },
  ]
  return needs.filter((need) => typeof need === 'object')
}

function lineNeeds({ line: { waiting, capacity, oldest_ms = 0 } }: DeskBody): readonly Need[] {
  const needs: Need[] = []
  if (waiting > LIMITS.AiTicketLineFillsUp * capacity)
    needs.push({
      alert: 'AiTicketLineFillsUp',
      isCritical: true,
      words: `The line is nearly full: ${waiting} of ${capacity} places`,
      advice: 'Cancel what nobody needs, slow down who sends most, or add a backend.',
      ...LINE,
    })
  if (oldest_ms > LIMITS.AiTicketWaitsTooLong * 1_000)
    needs.push({
      alert: 'AiTicketWaitsTooLong',
      isCritical: false,
      words: `The oldest event has waited for ${duration(oldest_ms)}`,
      advice: 'See what it waits for, and cancel what nobody needs.',
      ...LINE,
    })
  return needs
}

/** The codes that say nothing against the caller. */
export const isServersFault = (code: string): boolean =>
  /^(api_.+|capacity_exceeded|deadline_exceeded|store_unavailable)$/.test(code)

function countedNeeds(series: SeriesBody, { backends }: DeskBody): readonly Need[] {
  const needs: Need[] = []
  const last = (list: readonly (number | null)[] = [], minutes = FAILURES_MINUTES) =>
    list.slice(-Math.ceil((minutes * 60) / series.step_s)).map((count) => count ?? 0)
  const failed = Object.keys(series.errors).filter(isServersFault)
  const share = sum(failed.flatMap((code) => last(series.errors[code]))) / sum(endedIn(series, last))
  if (share > LIMITS.AiTicketEventsFail)
    needs.push({
      alert: 'AiTicketEventsFail',
      isCritical: true,
      words: `${percent(share)} of the events of the last ${FAILURES_MINUTES} minutes failed through no fault of their callers`,
      advice: 'See what they failed with, and on which backend.',
      ...FAILED,
    })
  const bugs = sum(last(series.errors.internal_error))
  if (bugs > 0)
    needs.push({
      alert: 'AiTicketBug',
      isCritical: false,
      words: `A bug cost ${plural(bugs, 'event')} an answer in the last ${FAILURES_MINUTES} minutes`,
      advice: 'Report it with its line of the log.',
      path: 'tickets?error=internal_error',
      screen: 'Tickets',
    })
  for (const { name, concurrency } of backends) {
    const { abandoned_ms, stopping_ms, failed_ms } = series.backends[name] ?? {}
    const ms = sum([abandoned_ms, stopping_ms, failed_ms].flatMap((list) => last(list, WASTE_MINUTES)))
    const wasted = ms / (WASTE_MINUTES * 60_000 * concurrency)
    if (wasted > LIMITS.AiTicketWastesGeneration)
      needs.push({
        alert: 'AiTicketWastesGeneration',
        isCritical: false,
        words: `${percent(wasted)} of the time of ${name} went to nobody in the last ${WASTE_MINUTES} minutes`,
        advice: 'See whose calls were abandoned, and which failed.',
        path: `tickets?${new URLSearchParams({ backend: name, wasted: 'true' })}`,
        screen: 'Tickets',
      })
  }
  return [...needs, ...lateNeeds(last(series.late_max, LATE_MINUTES))]
}

const endedIn = (
  { completed, failed, cancelled }: SeriesBody,
  last: (list: readonly (number | null)[]) => readonly number[],
): readonly number[] => [completed, failed, cancelled].flatMap((list) => last(list))

/** One late timer is a garbage collection: half of the steps late is a server that is too busy. */
function lateNeeds(late: readonly number[]): readonly Need[] {
  const isLate = (ms: number) => ms > LIMITS.AiTicketEventLoopLate * 1_000
  if (late.filter(isLate).length * 2 <= late.length) return []
  return [
    {
      alert: 'AiTicketEventLoopLate',
      isCritical: false,
      words: `The server itself is too busy: it is late by up to ${duration(Math.max(...late))}`,
      advice: 'Send fewer or smaller events, or give it a faster processor.',
      ...LINE,
    },
  ]
}

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0)

function ticketNeeds({ tickets_overdue_ms = 0 }: DeskBody, failed: number): readonly Need[] {
  const needs: Need[] = []
  if (tickets_overdue_ms > LIMITS.AiTicketTicketsWait * 1_000)
    needs.push({
      alert: 'AiTicketTicketsWait',
      isCritical: false,
      words: `A ticket that is due has waited for ${duration(tickets_overdue_ms)}`,
      advice: 'See which backend it asks for, and whether that is there.',
      path: 'tickets?status=queued',
      screen: 'Tickets',
    })
  if (failed > 0)
    needs.push({
      isCritical: false,
      words: `${plural(failed, 'ticket')} failed since you last looked`,
      advice: 'Replay them when the cause is mended.',
      path: 'dead',
      screen: 'Dead letters',
    })
  return needs
}

function callbackNeeds({
  callbacks: { dead, pending } = { dead: 0, pending: 0 },
}: DeskBody): readonly Need[] {
  const needs: Need[] = []
  const common = { alert: 'AiTicketCallbacksFail', isCritical: false, ...CALLBACKS }
  if (dead > 0) {
    const count =
      dead >= MOST_DEAD
        ? `${MOST_DEAD} or more callbacks were`
        : `${plural(dead, 'callback was', 'callbacks were')}`
    needs.push({
      ...common,
      words: `${count} given up: the receivers did not take them`,
      advice: 'Mend the receivers, then send them again.',
    })
  }
  if (pending > LIMITS.AiTicketCallbacksFail)
    needs.push({
      ...common,
      words: `${plural(pending, 'callback')} wait to be sent`,
      advice: 'See what the receivers answered last.',
    })
  return needs
}
