import type { Choice } from '@ai-ticket/testkit'

export type Kind = 'sqlite' | 'sqlite_file' | 'postgres'

/** What happens to the world at one moment. `slot` says which server, `length` how long it lasts. */
export type Act =
  | { readonly type: 'accept'; readonly number: number; readonly key: string | undefined }
  | { readonly type: 'kill' | 'close' | 'silent' | 'cut'; readonly slot: number; readonly ms: number }
  | { readonly type: 'jump'; readonly slot: number; readonly ms: number; readonly isBetweenRuns: boolean }
  | { readonly type: 'full' | 'down'; readonly ms: number }
  | { readonly type: 'same_name'; readonly slot: number; readonly ms: number }
  | { readonly type: 'cancel' | 'replay' | 'resend'; readonly draw: number }

export interface Plan {
  readonly kind: Kind
  readonly servers: number
  readonly leaseMs: number
  readonly concurrency: number
  readonly capacity: number
  readonly keep: number | undefined
  readonly lengthMs: number
  /** The share of commits that end badly. */
  readonly badCommits: number
  /** Somebody sets all clocks right before the end is waited for. */
  readonly clocksAreSetRight: boolean
  readonly acts: readonly { readonly atMs: number; readonly act: Act }[]
}

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR

const JUMPS = [-5 * HOUR, 5 * HOUR, 40 * DAY, -20 * HOUR, 60 * SECOND, -60 * SECOND, 5 * SECOND, -5 * SECOND]

/** The seed decides what happens; how the store takes it has no part in it. */
export function planWorld(choice: Choice, kind: Kind): Plan {
  const leaseMs = choice.pick([3, 9, 30]) * SECOND
  const lengthMs = choice.between(30, 90) * SECOND
  const servers = kind === 'postgres' ? choice.between(1, 2) : 1
  const at = (act: Act) => ({ atMs: choice.between(0, lengthMs), act })
  const keys = choice.between(1, 3)
  const accepts = Array.from({ length: choice.between(3, 14) }, (_, number) =>
    at({
      ...{ type: 'accept', number },
      key: choice.happens(0.4) ? `key ${choice.between(1, keys)}` : undefined,
    }),
  )
  const troubles = Array.from({ length: choice.between(0, 5) }, () => {
    const trouble = at(drawTrouble(choice, { kind, servers, leaseMs }))
    // Often just when something runs: an hour in which nothing happens shows nothing.
    const meant = choice.happens(0.6) ? choice.pick(accepts) : undefined
    return meant === undefined ? trouble : { ...trouble, atMs: meant.atMs + choice.between(0, 1_500) }
  })
  const wishes = Array.from({ length: choice.between(0, 3) }, () =>
    at({ type: choice.pick(['cancel', 'replay', 'resend'] as const), draw: choice.between(0, 100) }),
  )
  return {
    ...{ kind, servers, leaseMs, lengthMs },
    concurrency: choice.between(1, 3),
    capacity: choice.happens(0.1) ? 2 : 1_000,
    keep: choice.happens(0.15) ? choice.between(0, 3) : undefined,
    badCommits: choice.pick([0, 0, 0.02, 0.06]),
    clocksAreSetRight: choice.happens(0.5),
    acts: [...accepts, ...troubles, ...wishes].sort((one, other) => one.atMs - other.atMs),
  }
}

function drawTrouble(
  choice: Choice,
  { kind, servers, leaseMs }: { kind: Kind; servers: number; leaseMs: number },
): Act {
  const slot = choice.between(0, servers - 1)
  // Shorter than a lease, or many times as long.
  const ms = Math.ceil(leaseMs * choice.pick([0.1, 0.5, 1.2, 3, 8]))
  const common = ['kill', 'close', 'jump', 'jump', 'full', 'same_name'] as const
  const type = choice.pick(
    kind === 'postgres' ? ([...common, 'silent', 'cut', 'cut', 'down'] as const) : common,
  )
  switch (type) {
    case 'jump':
      return { type, slot, ms: choice.pick(JUMPS), isBetweenRuns: choice.happens(0.4) }
    case 'full':
    case 'down':
      return { type, ms }
    case 'kill':
    case 'close':
      return { type, slot, ms: choice.between(0, 20) * SECOND }
    default:
      return { type, slot, ms }
  }
}
