import {
  createDispatcher,
  createKoboldBackend,
  type Dispatcher,
  type DispatcherOptions,
} from '@ai-ticket/core'
import {
  type KoboldSimulator,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
} from '@ai-ticket/testkit'

export interface OpenDesk extends AsyncDisposable {
  readonly dispatcher: Dispatcher
  readonly simulators: readonly [KoboldSimulator, ...KoboldSimulator[]]
}

/** A desk with a simulator for each of the given options, named `b1`, `b2`…; all closed at the end of the test. */
export async function openDesk(
  simulated: readonly StartKoboldSimulatorOptions[],
  options: Partial<DispatcherOptions> = {},
): Promise<OpenDesk> {
  const [first, ...rest] = await Promise.all(simulated.map((one) => startKoboldSimulator(one)))
  if (!first) throw new Error('openDesk needs a simulator')
  const simulators = [first, ...rest] as const
  const { clock } = options
  const backends = simulators.map(({ url }, index) =>
    createKoboldBackend({ url, name: `b${index + 1}`, ...(clock ? { clock } : {}) }),
  )
  const dispatcher = createDispatcher({ ...options, backends })
  return {
    dispatcher,
    simulators,
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await Promise.all(simulators.map((simulator) => simulator.close()))
    },
  }
}
