import type { Delivery, Idempotency, Ticket } from '../../src/index.ts'

export interface KeyRow extends Idempotency {
  readonly ticketId: string
  readonly until: number
}

export interface RowChange {
  readonly before: Ticket | undefined
  readonly after: Ticket | undefined
}

/** What a database holds, with transactions one after another. */
export class ModelRows {
  readonly tickets = new Map<string, Ticket>()
  readonly deliveries = new Map<string, Delivery>()
  readonly keys = new Map<string, KeyRow>()
  #undo: (() => void)[] = []
  #changed = new Map<string, Ticket | undefined>()

  put<Value>(rows: Map<string, Value>, key: string, value: Value | undefined): void {
    const before = rows.get(key)
    this.#undo.push(() => (before === undefined ? rows.delete(key) : rows.set(key, before)))
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
  }

  putTicket(id: string, ticket: Ticket | undefined): void {
    if (!this.#changed.has(id)) this.#changed.set(id, this.tickets.get(id))
    this.put(this.tickets, id, ticket)
  }

  get hasChanged(): boolean {
    return this.#undo.length > 0
  }

  rollBack(): void {
    for (const undo of this.#undo.toReversed()) undo()
    this.#undo = []
    this.#changed = new Map()
  }

  /** Gives back what has changed. */
  commit(): readonly RowChange[] {
    const changes = [...this.#changed].map(([id, before]) => ({ before, after: this.tickets.get(id) }))
    this.#undo = []
    this.#changed = new Map()
    return changes
  }
}
