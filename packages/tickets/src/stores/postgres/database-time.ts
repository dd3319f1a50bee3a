import { type Clock, systemClock } from '@ai-ticket/core'
import type { Queryable } from './database.ts'

/** Servers whose clocks disagree must agree on when a lease is over: they all go by the clock of the database. */
export interface DatabaseTime {
  now(): number
  /** Looks at the database's clock again. */
  adjust(at: Queryable): Promise<void>
}

export function createDatabaseTime(): DatabaseTime {
  let offsetMs = 0
  return {
    now: () => Math.trunc(systemClock.wallTime() + offsetMs),
    async adjust(at) {
      const asked = systemClock.wallTime()
      const [row] = await at.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now')
      const answered = systemClock.wallTime()
      offsetMs = Number(row?.now) - (asked + answered) / 2
    },
  }
}

/** For tests: the time of a clock that was handed in. */
export const timeOf = (clock: Clock): DatabaseTime => ({
  now: () => Math.trunc(clock.wallTime()),
  adjust: async () => {},
})
