import type { DeskBody } from '../../api/desk.ts'
import { duration, plural } from '../../parts/format.ts'

/** Something that an operator should look at. */
export interface Need {
  /** The alert of `examples/observability/alerts.yml` that says the same; undefined: none does. */
  readonly alert?: string
  readonly isCritical: boolean
  readonly words: string
  /** What others said about it: not our words. */
  readonly details?: string
  /** The screen to act on, below the console's address. */
  readonly path: string
  readonly screen: string
}

type Backend = DeskBody['backends'][number]

/** As the alerts of the example have them. */
const [FULL_LINE, LONG_WAIT_MS, MANY_CALLBACKS] = [0.8, 120_000, 1_000]
/** So many are counted at most. */
const MOST_DEAD = 200

const LINE = { path: 'line', screen: 'Line' } as const
const CALLBACKS = { path: 'access', screen: 'Access' } as const

/** What needs somebody now, the worst first. `failed`: tickets that failed since they were last looked at. */
export function needsOf(desk: DeskBody, failed: number): readonly Need[] {
  const needs = [
    ...storeNeeds(desk),
    ...desk.backends.flatMap(backendNeeds),
    ...lineNeeds(desk),
    ...failedNeeds(failed),
    ...callbackNeeds(desk),
  ]
  return [...needs.filter(({ isCritical }) => isCritical), ...needs.filter(({ isCritical }) => !isCritical)]
}

function storeNeeds({ store }: DeskBody): readonly Need[] {
  if (store.status !== 'unavailable') return []
  const words = 'The ticket store does not answer; no tickets are accepted'
  const details = store.details === undefined ? {} : { details: store.details }
  return [
    { alert: 'AiTicketStoreAway', isCritical: true, words, ...details, path: 'tickets', screen: 'Tickets' },
  ]
}

function backendNeeds({ name, state, details, breaker, paused, repeats_left }: Backend): readonly Need[] {
  const told = details === undefined ? {} : { details }
  const warning = { isCritical: false, ...LINE }
  if (state === 'down')
    return [
      { alert: 'AiTicketBackendDown', isCritical: true, words: `${name} is down`, ...told, ...LINE },
      ...(paused ? [pausedNeed(name, paused)] : []),
    ]
  const needs: Need[] = []
  if (state === 'stuck')
    needs.push({
      alert: 'AiTicketBackendStuck',
      isCritical: true,
      words: `${name} does not stop a generation that nobody wants`,
      ...told,
      ...LINE,
    })
  if (paused) needs.push(pausedNeed(name, paused))
  if (breaker === 'open')
    needs.push({
      alert: 'AiTicketBreakerOpen',
      words: `${name} is left out: its breaker is open`,
      ...warning,
    })
  if (repeats_left === 0)
    needs.push({
      alert: 'AiTicketRetryBudgetSpent',
      words: `${name} fails so often that calls are no longer repeated`,
      ...warning,
    })
  return needs
}

const pausedNeed = (name: string, { by }: NonNullable<Backend['paused']>): Need => ({
  isCritical: false,
  words: `${name} is paused by ${by}: nothing new goes there`,
  ...LINE,
})

function lineNeeds({ line: { waiting, capacity, oldest_ms = 0 } }: DeskBody): readonly Need[] {
  const needs: Need[] = []
  if (waiting > FULL_LINE * capacity)
    needs.push({
      alert: 'AiTicketLineFillsUp',
      isCritical: true,
      words: `The line is nearly full: ${waiting} of ${capacity} places`,
      ...LINE,
    })
  if (oldest_ms > LONG_WAIT_MS)
    needs.push({
      alert: 'AiTicketWaitsTooLong',
      isCritical: false,
      words: `The oldest event has waited for ${duration(oldest_ms)}`,
      ...LINE,
    })
  return needs
}

function failedNeeds(failed: number): readonly Need[] {
  if (failed === 0) return []
  const words = `${plural(failed, 'ticket')} failed since you last looked`
  return [{ isCritical: false, words, path: 'dead', screen: 'Dead letters' }]
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
    needs.push({ ...common, words: `${count} given up: the receivers did not take them` })
  }
  if (pending > MANY_CALLBACKS)
    needs.push({ ...common, words: `${plural(pending, 'callback')} wait to be sent` })
  return needs
}
