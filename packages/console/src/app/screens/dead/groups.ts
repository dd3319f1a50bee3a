import type { TicketRow } from '../../api/tickets.ts'

/** Failed tickets that failed alike. */
export interface FailureGroup {
  readonly error: string
  readonly backend: string
  readonly rows: readonly TicketRow[]
  /** Those whose event was kept, so that they can be sent again. */
  readonly replayable: readonly TicketRow[]
  /** When the last of them came in. */
  readonly newest: string
}

/** By code and backend, the largest group first. */
export function groupFailures(rows: readonly TicketRow[]): readonly FailureGroup[] {
  const groups = Map.groupBy(rows, ({ error = '', backend = '' }) => JSON.stringify([error, backend]))
  return [...groups]
    .map(([key, own]) => {
      const [error, backend] = JSON.parse(key) as [string, string]
      const newest =
        own
          .map(({ created_at: at }) => at)
          .toSorted()
          .at(-1) ?? ''
      return { error, backend, rows: own, replayable: own.filter(({ kept }) => kept), newest }
    })
    .toSorted((one, other) => other.rows.length - one.rows.length || other.newest.localeCompare(one.newest))
}
