// One of several servers on a PostgreSQL: argument of the tests that kill it.
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createTicketDesk } from '../src/index.ts'
import { createPostgresStore } from '../src/postgres.ts'

const { CONNECTION = '', SCHEMA = '', NAME = '', BACKEND = '', LEASE_MS = '' } = process.env
const store = await createPostgresStore({ connectionString: CONNECTION, schema: SCHEMA })
const backend = createKoboldBackend({ url: BACKEND, name: NAME })
const dispatcher = createDispatcher({ backends: [{ backend, concurrency: 1 }] })
await createTicketDesk({ store, dispatcher, worker: NAME, leaseMs: Number(LEASE_MS) }).start()
process.stdout.write('ready\n')
