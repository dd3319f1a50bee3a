import type { VirtualClock } from '@ai-ticket/testkit'
import type { Delivery, Ticket, TicketStore } from '../../src/index.ts'
import type { SimulatedProcess } from './process.ts'
import type { Story } from './story.ts'

/** How a commit ends. `lost`: its connection breaks, before or behind it. `die`: its process does. */
export type Fate = 'well' | 'die_before' | 'die_behind' | 'lost_before' | 'lost_behind'

export interface WorldParts {
  readonly clock: VirtualClock
  readonly story: Story
  /** Asked once for each commit. */
  readonly fate: (process: SimulatedProcess) => Fate
  /** Of one statement on its way. */
  readonly latencyMs: () => number
  readonly capacity: number
}

/** What outlives the processes. */
export interface Database {
  /** Rejects with `StoreUnavailable` where this process cannot have it. */
  open(process: SimulatedProcess): Promise<TicketStore>
  /** It would refuse this process now. */
  isAway(process: SimulatedProcess): boolean
  /** All that it holds, seen from outside. */
  tickets(): Promise<readonly Ticket[]>
  deliveries(): Promise<readonly Delivery[]>
  /** How wrong the clock is by which this process goes. */
  shiftMs(process: SimulatedProcess): number
  setFull(full: boolean): void
  /** The clock of the database, where it has one. */
  setClock(byMs: number): void
  setDown(down: boolean): void
  close(): Promise<void>
}
