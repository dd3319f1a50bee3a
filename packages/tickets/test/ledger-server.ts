// A whole server with tickets on a folder, as a process of its own: the ledger test kills it.
import type { AddressInfo } from 'node:net'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createServer } from '@ai-ticket/server'
import { ticketRoutes } from '../src/fastify.ts'
import { createSqliteStore, createTicketDesk, type TicketStore } from '../src/index.ts'
import { openTicket } from '../src/new-ticket.ts'
import { createTicketId } from '../src/ticket-id.ts'

const { DIRECTORY = '', SIMULATOR = '', BREAK, DIE_AT } = process.env

let steps = 0
/** `commit:3` dies before the third commit is on disk, `committed:3` right after. */
const onStep = (step: string) => {
  if (step === 'commit') steps += 1
  if (DIE_AT === `${step}:${steps}`) process.kill(process.pid, 'SIGKILL')
}
const real = createSqliteStore({ directory: DIRECTORY, onStep })
const store: TicketStore = BREAK === 'ack_before_commit' ? ackBeforeCommit(real) : real
const backend = createKoboldBackend({ url: SIMULATOR })
const dispatcher = createDispatcher({ backends: [{ backend }] })
const desk = createTicketDesk({ store, dispatcher, leaseMs: 5_000, maxCrashes: 100 })
const server = createServer({ dispatcher })
server.register(ticketRoutes, { store, desk })
await server.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`listening ${(server.server.address() as AddressInfo).port}\n`)
await desk.start()

/** The mistake that the ledger test must find. */
function ackBeforeCommit(store: TicketStore): TicketStore {
  return {
    ...store,
    async accept(given) {
      setTimeout(() => void store.accept(given), 100)
      return { type: 'created', ticket: openTicket(given, createTicketId(Date.now()), Date.now()) }
    },
  }
}
