import {
  type BackendEntry,
  createDispatcher,
  createKoboldBackend,
  type DispatcherOptions,
} from '@ai-ticket/core'
import { createServer, type ServerOptions } from '@ai-ticket/http-server'
import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import type { FastifyPluginCallback } from 'fastify'
import { judgeResponses } from '../../server/test/openapi-judge.ts'

/** A server with one door on a loopback port, before a simulator; all closed at the end of the test. */
export async function openDoor(
  door: FastifyPluginCallback,
  options: {
    readonly simulator?: KoboldSimulatorOptions
    readonly server?: Partial<ServerOptions>
    readonly dispatcher?: Partial<DispatcherOptions>
    readonly backend?: Partial<BackendEntry>
  } = {},
) {
  const simulator = await startKoboldSimulator(options.simulator)
  const backend = createKoboldBackend({ url: simulator.url })
  const dispatcher = createDispatcher({ backends: [{ backend, ...options.backend }], ...options.dispatcher })
  const server = judgeResponses(createServer({ dispatcher, ...options.server }))
  server.register(door)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    server,
    simulator,
    dispatcher,
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
      await simulator[Symbol.asyncDispose]()
    },
  }
}
