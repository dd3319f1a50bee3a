// A whole server with tickets, as a process of its own: the ledger kills it. It loads, says so, and begins when it is told
// `go`, with the crash point at which it is to die, if any.
import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createServer } from '@ai-ticket/http-server'
import { ticketRoutes } from '../src/fastify.ts'
import {
  createCallbackPolicy,
  createCallbackSender,
  createTicketDesk,
  type TicketStore,
} from '../src/index.ts'
import { breakStore } from './ledger-mistakes.ts'
import { LEASE_MS, openLedgerStore } from './ledger-store.ts'
import { watchOperations } from './watch-operations.ts'

const { STORE = '{}', SIMULATOR = '', RECEIVER = '', MISTAKE, WORKER = 'local' } = process.env

const { user, system } = process.cpuUsage()
const input = createInterface(process.stdin)
// Whoever started it is gone: nobody would end it.
input.on('close', () => process.exit())
process.stdout.write(`loaded ${Math.round((user + system) / 1_000)}\n`)
flushCompileCache()
const [line = ''] = (await once(input, 'line')) as [string?]
const [, crashPoint] = line.split(' ')

const operations = watchOperations((point) => {
  if (point === crashPoint) process.kill(process.pid, 'SIGKILL')
})
const real = await openLedgerStore(JSON.parse(STORE), operations.onStep)
const broken = breakStore(operations.watch(real), MISTAKE)
// Each ticket tells the receiver of its end.
const store: TicketStore = {
  ...broken,
  accept: (given) => broken.accept({ ...given, callbackUrl: RECEIVER }),
}
const sender = createCallbackSender({
  store,
  policy: createCallbackPolicy({ allow: [`${RECEIVER}*`], privateNetworks: ['127.0.0.0/8'] }),
  secrets: [`whsec_${Buffer.alloc(32, 'a secret for tests').toString('base64')}`],
  content: 'full',
  timeoutMs: 500,
  leaseMs: 1_000,
})
const backend = createKoboldBackend({ url: SIMULATOR })
const dispatcher = createDispatcher({ backends: [{ backend }] })
// So long that a restart which waits for the end of a lease is found out, however busy the machine is.
const desk = createTicketDesk({
  ...{ store, dispatcher, worker: WORKER },
  leaseMs: LEASE_MS,
  maxCrashes: 1_000,
})
const server = createServer({ dispatcher })
server.register(ticketRoutes, { store, desk })
await server.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`listening ${(server.server.address() as AddressInfo).port}\n`)
sender.start()
await desk.start()
