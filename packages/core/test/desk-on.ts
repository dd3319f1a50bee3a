import { type Backend, createDispatcher, type DispatcherOptions } from '@ai-ticket/core'

/** A desk in front of one simulator; both closed at the end of the test. */
export function deskOn<Simulator extends { close(): Promise<void> }>(
  simulator: Simulator,
  backend: Backend,
  options: Partial<DispatcherOptions> = {},
) {
  const dispatcher = createDispatcher({ ...options, backends: [backend] })
  return {
    simulator,
    dispatcher,
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await simulator.close()
    },
  }
}
