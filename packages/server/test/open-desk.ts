import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import { type KoboldSimulator, type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import type { ServerOptions } from '../src/options.ts'
import { type OpenServer, openServer } from './open-server.ts'

export interface DeskOptions {
  /** One backend each; the first is `kobold-1`. Default: one that answers at once. */
  readonly simulators?: readonly KoboldSimulatorOptions[]
  /** Of each backend. Default: none. */
  readonly aliases?: readonly Readonly<Record<string, string>>[]
  readonly dispatcher?: Partial<DispatcherOptions>
  readonly server?: Partial<ServerOptions>
}

export interface OpenDesk extends OpenServer {
  /** For OpenAI's clients. */
  readonly baseURL: string
  readonly simulator: KoboldSimulator
}

/** Server, dispatcher and simulators, as a person would put them together. */
export async function openDesk(options: DeskOptions = {}): Promise<OpenDesk> {
  const { simulators: wanted = [{ tokensPerSecond: Number.POSITIVE_INFINITY }] } = options
  const simulators = await Promise.all(
    wanted.map((simulatorOptions) => startKoboldSimulator(simulatorOptions)),
  )
  const [simulator] = simulators
  if (simulator === undefined) throw new Error('A desk needs a backend.')
  const backends = simulators.map(({ url }, index) => ({
    backend: createKoboldBackend({ url, name: `kobold-${index + 1}` }),
    aliases: options.aliases?.[index] ?? {},
  }))
  const dispatcher = createDispatcher({ backends, ...options.dispatcher })
  const server = await openServer({ dispatcher, ...options.server })
  return {
    ...server,
    baseURL: `${server.url}/v1`,
    simulator,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await dispatcher.close()
      await Promise.all(simulators.map((one) => one.close()))
    },
  }
}
