// A process that holds a store and accepts one ticket: argument of the tests that kill it.
import { createSqliteStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'

const store = createSqliteStore({ directory: process.env.DIRECTORY ?? '' })
const accepted = await store.accept(newTicket())
process.stdout.write(`accepted ${'ticket' in accepted ? accepted.ticket.id : accepted.type}\n`)
// Nothing else holds the store: collected as garbage, it would let go of its folder.
setInterval(() => store, 1_000)
