import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeskReport } from '@ai-ticket/core'
import { startServer } from '../run-program.ts'

export interface AttackedServer extends AsyncDisposable {
  readonly port: number
  /** Resolves with the status; 0: the connection broke. */
  post(path: string, body: string, headers?: Readonly<Record<string, string>>): Promise<number>
  get(path: string): Promise<number>
  ticket(body: string): Promise<{ readonly id: string }>
  /** What the backend answers from here on. */
  answers(text: string): void
  /** Events that wait for a slot, or for a backend that is held. */
  inHand(): Promise<number>
  /** From here on the backend answers nobody, until the function is called. */
  hold(): () => void
  /** Milliseconds for which the server stood still since the last call, beyond what a server beside it that does nothing did. */
  pauseMs(): Promise<number>
  /** The most memory that was resident so far, in MiB. Undefined: this system does not tell. */
  peakMiB(): Promise<number | undefined>
}

/** A server of the build with a heap of 512 MB, a backend that does what the test says, and a prober beside it. */
export async function openAttackedServer(): Promise<AttackedServer> {
  const backend = await openBackend()
  const folder = await mkdtemp(join(tmpdir(), 'standstill-'))
  const config = join(folder, 'config.json')
  const entry = { type: 'openai', name: 'tiny', url: backend.url, model: 'tiny', concurrency: 2 }
  await writeFile(config, JSON.stringify({ backends: [entry] }))
  const server = await startServer(['--config', config], {
    NODE_OPTIONS: '--max-old-space-size=512',
    AI_TICKET_DATA_DIR: join(folder, 'tickets'),
  }).catch(async (error) => {
    await backend.close()
    throw error
  })
  const prober = fork(new URL('./prober.mjs', import.meta.url), [server.url, String(server.child.pid)], {
    execArgv: [],
  })
  const call = async (path: string, init?: RequestInit): Promise<Response | undefined> => {
    const response = await fetch(`${server.url}${path}`, init).catch(() => undefined)
    return response
  }
  const statusOf = async (path: string, init?: RequestInit) => {
    const response = await call(path, init)
    await response?.text().catch(() => {})
    return response?.status ?? 0
  }
  const asJson = (body: string, headers: Readonly<Record<string, string>> = {}) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  return {
    port: Number(new URL(server.url).port),
    post: (path, body, headers) => statusOf(path, asJson(body, headers)),
    get: (path) => statusOf(path),
    async ticket(body) {
      const response = await call('/tickets', asJson(body))
      const text = (await response?.text()) ?? ''
      if (response?.status !== 202)
        throw new Error(`No ticket was taken: ${response?.status} ${text.slice(0, 200)}`)
      return JSON.parse(text) as { id: string }
    },
    async inHand() {
      const report = await call('/backends')
      if (report === undefined) throw new Error('The server does not say how many events wait.')
      return ((await report.json()) as DeskReport).line.waiting + backend.heldBack()
    },
    answers: backend.answers,
    hold: backend.hold,
    pauseMs: () => worstOf(prober),
    peakMiB: () => peakOf(server.child),
    async [Symbol.asyncDispose]() {
      prober.disconnect()
      await server[Symbol.asyncDispose]()
      await backend.close()
    },
  }
}

async function worstOf(prober: ChildProcess): Promise<number> {
  const told = once(prober, 'message')
  prober.send('take')
  const [{ worstMs }] = await told
  return Math.round(worstMs)
}

async function peakOf({ pid }: ChildProcess): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
  return kib === undefined ? undefined : Math.round(Number(kib) / 1_024)
}

/** An OpenAI-compatible server that reads what it is sent and thinks of nothing. */
async function openBackend() {
  let text = 'Hello.'
  let held: ServerResponse[] | undefined
  const answer = (response: ServerResponse) => {
    const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }]
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: 'a', model: 'tiny', choices, usage }))
  }
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      if (request.url?.endsWith('/models')) response.end('{"data":[{"id":"tiny"}]}')
      else if (held) held.push(response)
      else answer(response)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    answers(next: string) {
      text = next
    },
    heldBack: () => held?.length ?? 0,
    hold() {
      held = []
      return () => {
        const waiting = held ?? []
        held = undefined
        for (const response of waiting) answer(response)
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
