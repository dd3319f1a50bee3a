import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, type Dispatcher, type Logger, systemClock } from '@ai-ticket/core'
import { anthropicDoor, koboldDoor, responsesDoor } from '@ai-ticket/doors'
import { createMetrics, createServer, type ServerOptions } from '@ai-ticket/http-server'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { composeDispatcher } from '../../src/compose/compose-dispatcher.ts'
import { composeTickets } from '../../src/compose/compose-tickets.ts'
import { resolveConfig } from '../../src/config/config.ts'
import { startPickyServer } from './picky-server.ts'

export interface FuzzedServer extends AsyncDisposable {
  readonly port: number
  readonly dispatcher: Dispatcher
  /** Lines at error: the server says that it failed. */
  readonly errors: readonly string[]
  /** How often the backend `picky` refused something, by what it was. */
  readonly refused: ReadonlyMap<string, number>
  connections(): Promise<number>
  /** Whose words failures at this path are told in; undefined: the desk's own. */
  dialectOf(path: string): string | undefined
}

/**
 * The server as `npx ai-ticket-server` puts it together, before simulators that answer at once, tickets on disk. The other
 * backends, `openai` and `picky`, are only there where they are wanted.
 */
export async function openFuzzedServer(
  given: Partial<ServerOptions> & { readonly hasOthers?: boolean } = {},
): Promise<FuzzedServer> {
  const { hasOthers = false, ...options } = given
  const openAI = hasOthers
    ? await startOpenAISimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    : undefined
  const picky = hasOthers ? await startPickyServer() : undefined
  const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY, keepAlive: true })
  const dataDir = mkdtempSync(join(tmpdir(), 'edge-fuzz-'))
  const config = configOf({
    data_dir: dataDir,
    body_limit_bytes: 2_000_000,
    backends: [
      { type: 'kobold', name: 'kobold', url: simulator.url, concurrency: 4 },
      ...(openAI ? [{ type: 'openai', name: 'openai', url: openAI.url, concurrency: 4 }] : []),
      ...(picky ? [{ type: 'openai', name: 'picky', url: picky.url, concurrency: 4 }] : []),
    ],
  })
  const errors: string[] = []
  const logger = errorLogger(errors)
  const metrics = await createMetrics({ version: '0.0.0' })
  const tickets = await composeTickets(config, { logger, metrics })
  const { onOutcome } = tickets
  const watchers = { observer: metrics.observer, onOutcome }
  const dispatcher = await composeDispatcher(config, { logger, watchers })
  const { bodyLimitBytes } = config
  const server = createServer({
    dispatcher,
    logger,
    metrics,
    bodyLimitBytes,
    requestTimeoutMs: 4_000,
    clock: HASTY_CLOCK,
    ...options,
  })
  server.register(anthropicDoor)
  server.register(koboldDoor)
  server.register(responsesDoor, { keepsHistory: true })
  const desk = tickets.serve(server, dispatcher)
  await server.listen({ host: '127.0.0.1', port: 0 })
  await desk.start()
  return {
    port: (server.server.address() as AddressInfo).port,
    dispatcher,
    errors,
    refused: picky?.refused ?? new Map(),
    dialectOf: (path) => server.dialects.find((one) => one.covers(path))?.name,
    connections: () =>
      new Promise((resolve, reject) => {
        server.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([desk.close(), dispatcher.close(), server.close()])
      await tickets.close()
      await Promise.all([simulator.close(), openAI?.close(), picky?.[Symbol.asyncDispose]()])
      rmSync(dataDir, { recursive: true })
    },
  }
}

/** Who asks for a response that is not there waits until the history has been written: 0.4 s, too long for thousands. */
const HASTY_CLOCK: Clock = {
  ...systemClock,
  setTimer: (callback, delayMs) => systemClock.setTimer(callback, delayMs / 50),
}

function configOf(content: object) {
  const file = { name: 'fuzz.json', text: JSON.stringify(content) }
  const resolved = resolveConfig({ flags: {}, environment: {}, file })
  if (!resolved.ok) throw new Error(resolved.problems.map(({ message }) => message).join('\n'))
  return resolved.value.config
}

function errorLogger(errors: string[]): Logger {
  const silent = () => {}
  return {
    debug: silent,
    info: silent,
    warn: silent,
    error: (message, fields) => {
      const { error } = fields ?? {}
      errors.push(`${message}: ${error instanceof Error ? error.stack : JSON.stringify(fields)}`)
    },
  }
}
