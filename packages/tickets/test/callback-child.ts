// A process that ends a ticket and sends its callback: argument of the test that kills it.
import { flushCompileCache } from 'node:module'
import type { FailureOutcome } from '@ai-ticket/core'
import {
  createCallbackPolicy,
  createCallbackSender,
  createSqliteStore,
  type TicketStore,
} from '../src/index.ts'
import { newTicket } from './new-ticket.ts'

const SECRET = `whsec_${Buffer.alloc(32, 'a secret for tests').toString('base64')}`

const { DIRECTORY = '', RECEIVER = '', DIE_AT } = process.env

const steps = new Map<string, number>()
/** `commit:3` dies before the third commit is on disk, `committed:3` right after; `send:1` and `sent:1` likewise. */
function onStep(step: string): void {
  const number = (steps.get(step) ?? 0) + 1
  steps.set(step, number)
  if (DIE_AT === `${step}:${number}`) process.kill(process.pid, 'SIGKILL')
}

flushCompileCache()
const store = createSqliteStore({ directory: DIRECTORY, onStep })
const sender = createCallbackSender({
  store,
  policy: createCallbackPolicy({ allow: [`${RECEIVER}/*`], privateNetworks: ['127.0.0.0/8'] }),
  secrets: [SECRET],
  // Longer than a busy machine takes: a second delivery would count as one too many.
  timeoutMs: 4_000,
  leaseMs: 5_000,
  onStep,
  observer: { attemptEnded: ({ result }) => void process.stdout.write(`${result}\n`) },
})
sender.start()
await endTicket(store)
process.stdout.write('ready\n')

/** The one ticket of the folder, which an earlier process may have left half way. */
async function endTicket(store: TicketStore): Promise<void> {
  const idempotency = { scope: '', key: 'k', fingerprint: 'f', ttlMs: 60_000 }
  await store.accept(newTicket({ idempotency, callbackUrl: `${RECEIVER}/done` }))
  const owner = { worker: 'w', session: `s${process.pid}` }
  const [held] = [
    ...(await store.adopt({ owner, leaseMs: 60_000, limit: 1 })),
    ...(await store.claim({ owner, leaseMs: 60_000, limit: 1 })),
  ]
  const outcome: FailureOutcome = {
    error: 'not_found',
    details: 'None.',
    id: 'evt_1',
    duration_ms: 0,
    attempts: [],
  }
  if (held) await store.settle(held, outcome)
}
