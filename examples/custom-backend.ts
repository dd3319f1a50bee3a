// A backend of your own, for a server that AI Ticket does not know: node examples/custom-backend.ts
// The server here streams JSON lines. It stands at the end of this file, so that every duty of a backend can be shown.
import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { type Backend, BackendError, createDispatcher, type GenerationRequest } from '@ai-ticket/core'
import { backendConformance } from '@ai-ticket/testkit/conformance'

const CONNECT_TIMEOUT_MS = 5_000

/** A server that takes `POST /complete` and answers with JSON lines: `{ text }`…, then `{ reason, tokens }`. */
export function createLinesBackend({ url, name = 'lines' }: { url: string; name?: string }): Backend {
  const closing = new AbortController()
  const until = (signal: AbortSignal) => AbortSignal.any([signal, closing.signal])
  return {
    name,
    // One text goes in: no turns, no images, no tools, and nothing that forces a schema on the answer.
    endpoints: [{ name: 'complete', turns: false, images: false, tools: false, schema: false }],

    async *generate(_endpoint, request, { signal, stream }) {
      const call: Call = { name, signal, until: until(signal) }
      const reply = await open(`${url}/complete`, {
        ...call,
        body: bodyOf(request),
        headers: request.headers,
      })
      let text = ''
      for await (const line of readLines(reply, call)) {
        if (typeof line.text === 'string') {
          text += line.text
          if (stream) yield { type: 'delta', text: line.text }
        }
        if (typeof line.reason === 'string') {
          yield {
            type: 'end',
            text,
            finish_reason: finishReason(line.reason),
            raw_finish_reason: line.reason,
          }
          return
        }
      }
      // A server that dies closes the connection as cleanly as one that has finished: only its last line tells.
      throw new BackendError('interrupted', `${name} ended its answer without a reason.`, { partial: text })
    },

    async probe(signal) {
      const call: Call = { name, signal, until: until(signal) }
      const reply = await open(`${url}/status`, call)
      for await (const { model, idle } of readLines(reply, call)) {
        return { models: [String(model)], idle: idle === true }
      }
      throw new BackendError('wrong_shape', `${name} said nothing about its state.`)
    },

    // Every call has a connection of its own, which ends with the call.
    async close() {
      closing.abort()
    },
  }
}

/** Turns become one text; a system turn is never left out. */
function bodyOf({ turns, parameters }: GenerationRequest): string {
  const [first] = turns
  const prompt =
    turns.length === 1
      ? String(first?.content)
      : `${turns.map(({ role, content }) => `${role}: ${content}`).join('\n')}\nassistant:`
  const { max_tokens, temperature, stop } = parameters
  return JSON.stringify({ prompt, max_tokens, temperature, ...(stop && { stop }) })
}

const finishReason = (reason: string) => (reason === 'limit' ? 'length' : 'stop')

interface Call {
  name: string
  /** The caller's. */
  signal: AbortSignal
  /** The caller's, or that the backend is closed. */
  until: AbortSignal
}

interface Question extends Call {
  body?: string
  headers?: Readonly<Record<string, string>> | undefined
}

/** Sends a request. Node's `fetch` would give up after five minutes of silence, which a long prompt can take. */
function open(address: string, question: Question): Promise<IncomingMessage> {
  const { name, signal, until, body, headers = {} } = question
  return new Promise((resolve, reject) => {
    let isConnected = false
    const method = body === undefined ? 'GET' : 'POST'
    const how = { method, headers, signal: until, agent: false, timeout: CONNECT_TIMEOUT_MS }
    const request = httpRequest(address, how)
    request.once('timeout', () => request.destroy(new Error('no connection in time')))
    request.once('socket', (socket) =>
      socket.once('connect', () => {
        isConnected = true
        request.setTimeout(0)
      }),
    )
    request.once('error', (cause) => reject(brokenOff({ name, signal, cause, isConnected })))
    request.once('response', (reply) => {
      const { statusCode: status = 0 } = reply
      if (status === 200) return resolve(reply)
      reply.resume()
      const seconds = Number(reply.headers['retry-after'])
      reject(
        new BackendError('status', `${name} answered ${status}.`, {
          status,
          ...(seconds > 0 && { retryAfterMs: seconds * 1_000 }),
        }),
      )
    })
    request.end(body)
  })
}

async function* readLines(
  reply: IncomingMessage,
  { name, signal }: Call,
): AsyncGenerator<Record<string, unknown>> {
  try {
    for await (const line of createInterface({ input: reply })) {
      yield parseLine(line, name)
    }
    if (reply.errored) throw reply.errored
  } catch (cause) {
    if (cause instanceof BackendError) throw cause
    throw brokenOff({ name, signal, cause, isConnected: true })
  } finally {
    // Also when the caller leaves early: this server stops as soon as its connection closes.
    reply.destroy()
  }
}

function parseLine(line: string, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch (cause) {
    throw new BackendError('not_json', `${name} sent a line that is not JSON.`, { cause })
  }
  throw new BackendError('wrong_shape', `${name} sent a line that is no object.`)
}

interface Broken extends Pick<Call, 'name' | 'signal'> {
  cause: unknown
  isConnected: boolean
}

/** The kind decides what the desk does next; the message holds no prompt, key or body. */
function brokenOff({ name, signal, cause, isConnected }: Broken): BackendError {
  if (signal.aborted) {
    const stopped = isConnected ? 'ended' : 'not_sent'
    return new BackendError('aborted', `The call of ${name} was aborted.`, { cause, stopped })
  }
  if (!isConnected) return new BackendError('connect', `${name} could not be reached.`, { cause })
  return new BackendError('disconnected', `${name} broke the connection.`, { cause })
}

// What follows tries it.

let running = 0
let lastPrompt = ''
const server = createServer((request, reply) => {
  if (request.url === '/status') return reply.end('{"model":"parrot","idle":true}\n')
  if (server.listenerCount('locked') > 0) return reply.writeHead(401).end()
  let body = ''
  request.on('data', (piece) => {
    body += piece
  })
  request.on('end', () => {
    const { prompt, max_tokens, stop = [] } = JSON.parse(body)
    lastPrompt = prompt
    const words = [...String(prompt).split(' '), 'indeed']
    let left = max_tokens
    const isLast = (word = '') => word === '' || left === 0 || stop.includes(word)
    running += 1
    const timer = setInterval(() => {
      const [word] = words
      if (isLast(word)) return reply.end(`{"reason":"${left === 0 ? 'limit' : 'stop'}"}\n`)
      words.shift()
      left -= 1
      reply.write(`${JSON.stringify({ text: ` ${word}` })}\n`)
    }, 1)
    reply.once('close', () => {
      clearInterval(timer)
      running -= 1
      if (!reply.writableFinished) server.emit('hangup')
    })
  })
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// First each duty of a backend by itself.
const cases = backendConformance({
  open: async () => ({
    backend: createLinesBackend({ url }),
    lastPrompt: () => lastPrompt,
    isQuiet: () => running === 0,
  }),
  openDead: async () => ({ backend: createLinesBackend({ url: 'http://127.0.0.1:9' }) }),
  // Answered with a hundred words or more.
  prompt: Array.from({ length: 120 }, (_, index) => `word${index}`).join(' '),
})
for (const { name, run } of cases) {
  await run().catch((cause) => {
    throw new Error(`Not kept: ${name}.`, { cause })
  })
}

// Then through a desk, which decides what its failures become.
const dispatcher = createDispatcher({ backends: [createLinesBackend({ url })], backoffBaseMs: 10 })

const whole = await dispatcher.onEvent({ content: 'parrots can talk' })
assert.equal(whole.completion, 'parrots can talk indeed')

const system = { role: 'system', content: 'be brief' } as const
const both = await dispatcher.onEvent({ content: [system, { role: 'user', content: 'hello' }] })
assert.ok(both.completion?.startsWith('system: be brief\nuser: hello'))

let streamed = ''
for await (const event of dispatcher.streamEvent({ content: 'word by word' })) {
  if (event.type === 'delta') streamed += event.text
}
assert.equal(streamed, ' word by word indeed')

const hangUp = new Promise((resolve) => server.once('hangup', resolve))
for await (const event of dispatcher.streamEvent({ content: 'a long story '.repeat(1_000) })) {
  if (event.type === 'delta') break
}
await hangUp

server.on('locked', () => {})
const locked = await dispatcher.onEvent({ content: 'hello' })
assert.equal(locked.error, 'api_authentication_error')

await new Promise((resolve) => server.close(resolve))
const away = await dispatcher.onEvent({ content: 'hello', timeout_ms: 500 })
assert.ok(away.error)
assert.equal(away.attempts[0]?.result, 'api_connection_error')

await dispatcher.close()
process.stdout.write(
  `${cases.length} duties kept; whole, streamed, hung up on, locked, away: as it should be\n`,
)
