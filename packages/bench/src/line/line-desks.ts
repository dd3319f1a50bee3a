import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Backend, createDispatcher } from '@ai-ticket/core'
import { Pool } from 'undici'
import { freePort } from '../../../workspace/free-port.mjs'
import { startProgram } from '../servers/running-program.ts'
import { createSlotWatch, type SlotWatch } from './slot-watch.ts'

export interface LineSize {
  readonly backends: number
  readonly callers: number
  readonly serviceMs: number
}

/** Something that answers events of named callers, and what its backends saw. */
export interface LineDesk extends AsyncDisposable {
  readonly watches: readonly SlotWatch[]
  /** Resolves when the event is answered; rejects where it is not. */
  ask(caller: number): Promise<void>
}

const CONTENT = 'Tell me about Lily.'
const ANSWER = 'Lily was a little girl.'

/** A dispatcher in this process, with backends that are nothing but a timer. */
export function openDispatcherDesk({ backends, serviceMs }: LineSize): LineDesk {
  const watches = Array.from({ length: backends }, createSlotWatch)
  const dispatcher = createDispatcher({
    backends: watches.map((watch, index) => timedBackend(`box-${index}`, watch, serviceMs)),
  })
  return {
    watches,
    async ask(caller) {
      const outcome = await dispatcher.onEvent({ content: CONTENT }, { caller: `caller-${caller}` })
      if (outcome.error !== undefined) throw new Error(`${outcome.error}: ${outcome.details}`)
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  }
}

function timedBackend(name: string, watch: SlotWatch, serviceMs: number): Backend {
  return {
    name,
    endpoints: [{ name: 'only', turns: true, images: false, tools: false, schema: false }],
    async *generate() {
      const end = watch.begin()
      await sleep(serviceMs)
      end()
      yield { type: 'end', text: ANSWER, finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: ['timer'] }),
    close: async () => {},
  }
}

/** The published server in a process of its own, its backends servers in this one; each caller has a key. */
export async function openServerDesk(
  { backends, callers, serviceMs }: LineSize,
  folder: string,
): Promise<LineDesk> {
  const stack = new AsyncDisposableStack()
  const watches = Array.from({ length: backends }, createSlotWatch)
  const urls = await Promise.all(
    watches.map(async (watch) => {
      const server = await startTimedServer(watch, serviceMs)
      stack.defer(() => closeServer(server))
      const address = server.address()
      return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    }),
  )
  const config = join(folder, 'line.json')
  const listed = urls.map((url, index) => ({ type: 'openai', name: `box-${index}`, url }))
  writeFileSync(config, JSON.stringify({ backends: listed, history: 'off' }))
  const port = await freePort()
  const bin = fileURLToPath(new URL('./dist/serve.js', import.meta.resolve('ai-ticket-server/package.json')))
  const keys = Array.from({ length: callers }, (_, caller) => keyOf(caller)).join(',')
  const program = {
    args: [bin, '--port', String(port), '--config', config, '--log-level', 'warning'],
    environment: { AI_TICKET_API_KEYS: keys, AI_TICKET_DATA_DIR: ':memory:' },
  }
  const running = await startProgram(() => program, {
    name: 'ai-ticket-server',
    port,
    folder,
    healthPath: '/livez',
  })
  stack.use(running)
  const pool = new Pool(running.url, { connections: callers })
  stack.defer(() => pool.destroy())
  return {
    watches,
    async ask(caller) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf(caller)}` }
      const body = JSON.stringify({ content: CONTENT })
      const reply = await pool.request({ method: 'POST', path: '/event', headers, body, headersTimeout: 0 })
      const text = await reply.body.text()
      if (reply.statusCode !== 200) throw new Error(`status ${reply.statusCode}: ${text}`)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const keyOf = (caller: number) => `key-${caller}`

async function startTimedServer(watch: SlotWatch, serviceMs: number): Promise<Server> {
  const models = JSON.stringify({ object: 'list', data: [{ id: 'timer', object: 'model' }] })
  const message = { role: 'assistant', content: ANSWER }
  const answer = JSON.stringify({ model: 'timer', choices: [{ index: 0, message, finish_reason: 'stop' }] })
  const server = createServer(async (request, reply) => {
    if (request.url === '/v1/models') return reply.end(models)
    if (request.method !== 'POST') return reply.writeHead(404).end()
    const end = watch.begin()
    request.resume()
    await sleep(serviceMs)
    end()
    reply.setHeader('content-type', 'application/json').end(answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
