import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { createTicketDesk, type TicketStore } from '@ai-ticket/tickets'

/** Tokens of an answer; at the speed below a second of work for each. */
const TOKENS = 50

/** The share of the time in which simulated servers, one slot each, worked on a backlog, as they counted it themselves. */
export async function measureBusyShare(
  store: TicketStore,
  { backlog, slots, windowMs }: { backlog: number; slots: number; windowMs: number },
): Promise<number> {
  await Promise.all(
    Array.from({ length: backlog }, (_, number) =>
      store.accept({ event: { content: 'Count.' }, eventId: `evt_${number}`, caller: 'ci' }),
    ),
  )
  const answer = () => 'one '.repeat(TOKENS).trim()
  const simulators = await Promise.all(
    Array.from({ length: slots }, () => startKoboldSimulator({ tokensPerSecond: TOKENS, answer })),
  )
  const dispatcher = createDispatcher({
    backends: simulators.map(({ url }, number) => ({
      backend: createKoboldBackend({ url, name: `gpu-${number}` }),
      concurrency: 1,
    })),
  })
  const desk = createTicketDesk({ store, dispatcher })
  await desk.start()
  await Promise.all(simulators.map((simulator) => simulator.waitForCall(1)))
  const from = performance.now()
  await new Promise((resolve) => setTimeout(resolve, windowMs))
  const to = performance.now()
  const busyMs = simulators.flatMap(({ calls }) =>
    calls.map(({ runningAt = to, endedAt = to }) =>
      Math.max(0, Math.min(endedAt, to) - Math.max(runningAt, from)),
    ),
  )
  await Promise.all([desk.close(), dispatcher.close()])
  await Promise.all(simulators.map((simulator) => simulator.close()))
  return busyMs.reduce((sum, ms) => sum + ms, 0) / (slots * (to - from))
}
