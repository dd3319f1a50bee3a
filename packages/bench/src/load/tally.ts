import { createHistogram } from 'node:perf_hooks'
import { KINDS, type Kind } from './plan/plan-load.ts'
import type { Ending } from './send/ending.ts'

export interface KindCounts {
  sent: number
  answered: number
  hungUp: number
  lost: number
}

/** What has become of the requests. */
export interface Tally {
  readonly kinds: Readonly<Record<Kind, KindCounts>>
  /** Answers by code. */
  readonly codes: ReadonlyMap<string, number>
  /** The first ones, in words. */
  readonly lost: readonly string[]
  readonly wrong: readonly string[]
  readonly wrongCount: number
  /** Distinct tickets that were accepted. */
  readonly tickets: number
  /** In microseconds, of whole answers that need not wait for a slot. */
  readonly added: { readonly count: number; percentile(percent: number): number; readonly max: number }
  begin(kind: Kind): void
  end(kind: Kind, number: number, ending: Ending): void
  add(addedMs: number): void
}

/** How many are told in words. */
const TOLD = 20

export function createTally(): Tally {
  const kinds = Object.fromEntries(
    KINDS.map((kind) => [kind, { sent: 0, answered: 0, hungUp: 0, lost: 0 }]),
  ) as Record<Kind, KindCounts>
  const codes = new Map<string, number>()
  const lost: string[] = []
  const wrong: string[] = []
  const added = createHistogram()
  let wrongCount = 0
  let tickets = 0
  return {
    kinds,
    codes,
    lost,
    wrong,
    added,
    get wrongCount() {
      return wrongCount
    },
    get tickets() {
      return tickets
    },
    begin(kind) {
      kinds[kind].sent += 1
    },
    end(kind, number, ending) {
      if (ending.as === 'hung_up') kinds[kind].hungUp += 1
      else if (ending.as === 'lost') {
        kinds[kind].lost += 1
        if (lost.length < TOLD) lost.push(`${kind} ${number}: ${ending.why}`)
      } else {
        kinds[kind].answered += 1
        codes.set(ending.code, (codes.get(ending.code) ?? 0) + 1)
        if (ending.ticketId !== undefined) tickets += 1
        if (ending.wrong !== undefined && ++wrongCount <= TOLD)
          wrong.push(`${kind} ${number}: ${ending.wrong}`)
      }
    },
    // A histogram holds whole numbers from 1.
    add: (addedMs) => added.record(Math.max(1, Math.round(addedMs * 1000))),
  }
}

export const sumOfKinds = ({ kinds }: Tally, part: keyof KindCounts): number =>
  Object.values(kinds).reduce((sum, counts) => sum + counts[part], 0)

export function progressOf(tally: Tally): string {
  const sum = (part: keyof KindCounts) => sumOfKinds(tally, part)
  return `${sum('sent')} sent, ${sum('answered')} answered, ${sum('hungUp')} hung up, ${sum('lost')} lost`
}
