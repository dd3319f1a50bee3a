import { deliveriesOf } from '../../ticket/delivery.ts'
import type { Ticket } from '../../ticket/ticket.ts'
import { createHub, type Hub } from '../../ticket/ticket-store.ts'
import type { CallbackTable } from './callbacks.ts'
import type { GroupCommit } from './group-commit.ts'
import type { TicketTable } from './ticket-table.ts'

/** Commits that announce what they have changed, once it is on disk. */
export interface AnnouncedWrites {
  write<Value>(work: Work<Value>): Promise<Value>
  /** Writes what a transition makes of each ticket; gives back those to which it applies. */
  transit(tickets: () => readonly Ticket[], transition: Transition): Promise<readonly Ticket[]>
  /** The same for one ticket; false where it does not apply. */
  change(id: string, transition: Transition): Promise<boolean>
  /** Hears of tickets that have changed. */
  readonly hub: Hub
  /** Hears of tickets whose callback has become due. */
  readonly due: Hub
}

/** `touched`: one that has changed and was not read; it has not ended. */
type Work<Value> = (changed: (ticket: Ticket) => void, touched: (id: string) => void) => Value

type Transition = (ticket: Ticket) => Ticket | undefined

export function createAnnouncedWrites({
  commits,
  table,
  callbackTable,
}: {
  readonly commits: GroupCommit
  readonly table: TicketTable
  readonly callbackTable: CallbackTable
}): AnnouncedWrites {
  const hub = createHub()
  const due = createHub()

  async function write<Value>(work: Work<Value>): Promise<Value> {
    let tickets: Ticket[] = []
    let ids: string[] = []
    const value = await commits.write(() => {
      // The group may run again without its faulty member.
      tickets = []
      ids = []
      const changed = (ticket: Ticket) => {
        tickets.push(ticket)
        ids.push(ticket.id)
      }
      const result = work(changed, (id) => ids.push(id))
      // With the end of a ticket, the callback that announces it.
      for (const delivery of deliveriesOf(tickets)) callbackTable.insert(delivery)
      return result
    })
    hub.tell(ids)
    due.tell(deliveriesOf(tickets).map(({ ticketId }) => ticketId))
    return value
  }

  const transit: AnnouncedWrites['transit'] = (tickets, transition) =>
    write((changed) =>
      tickets().flatMap((before) => {
        const after = transition(before)
        if (!after) return []
        table.update(after)
        changed(after)
        return [after]
      }),
    )

  const change: AnnouncedWrites['change'] = async (id, transition) =>
    (await transit(() => [table.find(id) ?? []].flat(), transition)).length > 0

  return { write, transit, change, hub, due }
}
