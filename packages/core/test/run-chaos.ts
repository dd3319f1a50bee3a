import { createDispatcher, createKoboldBackend, createOpenAIBackend, type Dispatcher } from '@ai-ticket/core'
import {
  type ChaosPlan,
  type ChaosSeen,
  createChaosFetch,
  createVirtualClock,
  startChaosServer,
} from '@ai-ticket/testkit'

async function caller(dispatcher: Dispatcher, { streams, maxTokens, timeoutMs }: ChaosPlan) {
  const event = { content: 'Hello', parameters: { max_tokens: maxTokens }, timeout_ms: timeoutMs }
  const seen = { text: '', reasoning: '' }
  if (!streams) return { ...seen, outcome: await dispatcher.onEvent(event) }
  for await (const one of dispatcher.streamEvent(event)) {
    if (one.type === 'done' || one.type === 'error') return { ...seen, outcome: one.outcome }
    if (one.type !== 'delta') continue
    seen.text += one.text
    seen.reasoning += one.reasoning ?? ''
  }
  return { ...seen, outcome: undefined }
}

const backendOf = ({ backend }: ChaosPlan, options: Parameters<typeof createKoboldBackend>[0]) =>
  backend === 'kobold' ? createKoboldBackend(options) : createOpenAIBackend(options)

/** One event in front of the server of a plan, on a virtual clock. */
export async function runInProcess(plan: ChaosPlan): Promise<ChaosSeen & { left: number }> {
  const clock = createVirtualClock()
  const server = createChaosFetch(plan, clock)
  const backend = backendOf(plan, { url: 'http://chaos.test:5001', clock, fetch: server.fetch })
  const dispatcher = createDispatcher({ backends: [backend], clock, random: () => 0.5 })
  let seen: Awaited<ReturnType<typeof caller>> | undefined
  const asked = caller(dispatcher, plan).then((found) => {
    seen = found
  })
  for (let stepMs = 1; !seen && clock.now() < plan.timeoutMs + 60_000; stepMs = Math.min(stepMs * 4, 4_000)) {
    await clock.advance(stepMs)
  }
  const result = seen ?? { text: '', reasoning: '', outcome: undefined }
  let isClosed = false
  const closing = dispatcher.close().then(() => {
    isClosed = true
  })
  while (!isClosed && clock.now() < plan.timeoutMs + 240_000) await clock.advance(1_000)
  if (isClosed) await Promise.all([closing, asked])
  return { ...result, calls: server.calls, left: server.running }
}

/** The same over a socket, in real time. */
export async function runOverSocket(plan: ChaosPlan): Promise<ChaosSeen> {
  await using server = await startChaosServer(plan)
  const backend = backendOf(plan, { url: server.url })
  // Repeats come at once.
  const dispatcher = createDispatcher({ backends: [backend], random: () => 0 })
  const seen = await caller(dispatcher, plan)
  await dispatcher.close()
  return { ...seen, calls: server.calls }
}

/** The HTTP library is loaded at the first call, which takes real time. */
export async function warmUp(): Promise<void> {
  const backend = createOpenAIBackend({
    url: 'http://chaos.test:5001',
    fetch: async () => Response.json({ choices: [{ message: { content: 'Hello' } }] }),
  })
  const dispatcher = createDispatcher({ backends: [backend] })
  await dispatcher.onEvent({ content: 'Hello' })
  await dispatcher.close()
}
