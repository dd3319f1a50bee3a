import { type Backend, createOpenAIBackend, type GenerationEvent } from '@ai-ticket/core'
import { startOpenAISimulator } from '@ai-ticket/testkit'
import { backendConformance } from '@ai-ticket/testkit/conformance'
import { expect, test } from 'vitest'

// Backends with one fault each: the suite is worth something only where it finds them.

type Broken = (good: Backend) => Partial<Backend>

const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ')

/** The names of the cases that fail. */
async function failures(broken: Broken, tokensPerSecond = 1000, stopMs = 300): Promise<string[]> {
  const cases = backendConformance({
    async open() {
      const simulator = await startOpenAISimulator({ tokensPerSecond, answer: () => words })
      const good = createOpenAIBackend({ url: simulator.url })
      return {
        backend: { ...good, ...broken(good) },
        lastPrompt: () => JSON.stringify(simulator.calls.at(-1)?.body),
        isQuiet: () => simulator.running === 0,
        close: async () => {
          await good.close()
          await simulator.close()
        },
      }
    },
    stopMs,
  })
  const results = await Promise.allSettled(cases.map(({ run }) => run()))
  return cases.flatMap(({ name }, index) => (results[index]?.status === 'rejected' ? [name] : []))
}

/** Changes each event of the good backend. */
const changed =
  (change: (event: GenerationEvent) => GenerationEvent[]): Broken =>
  (good) => ({
    async *generate(...call) {
      for await (const event of good.generate(...call)) yield* change(event)
    },
  })

const faults: [fault: string, broken: Broken, found: string, tokensPerSecond?: number][] = [
  ['an endpoint twice', (good) => ({ endpoints: [...good.endpoints, ...good.endpoints] }), 'has a name and'],
  [
    'deltas for everybody',
    (good) => ({
      generate: (endpoint, request, how) => good.generate(endpoint, request, { ...how, stream: true }),
    }),
    'a whole answer is one end',
  ],
  [
    'a second end',
    changed((event) => (event.type === 'end' ? [event, event] : [event])),
    'a whole answer is one end',
  ],
  ['no end', changed((event) => (event.type === 'end' ? [] : [event])), 'a whole answer is one end'],
  [
    'a delta is lost',
    changed((event) => (event.type === 'delta' && event.text.startsWith('word') ? [] : [event])),
    'the deltas of a stream',
  ],
  [
    'length without a limit',
    changed((event) => [event.type === 'end' ? { ...event, finish_reason: 'length' } : event]),
    'a stop string ends',
  ],
  [
    'max_tokens is not sent',
    (good) => ({
      generate: (endpoint, request, how) =>
        good.generate(endpoint, { ...request, parameters: { ...request.parameters, max_tokens: 200 } }, how),
    }),
    'max_tokens ends',
  ],
  [
    'stop is not sent',
    (good) => ({
      generate(endpoint, request, how) {
        const { stop: _, ...parameters } = request.parameters
        return good.generate(endpoint, { ...request, parameters }, how)
      },
    }),
    'a stop string ends',
  ],
  [
    'the system turn is dropped',
    (good) => ({
      generate: (endpoint, request, how) =>
        good.generate(
          endpoint,
          { ...request, turns: request.turns.filter(({ role }) => role !== 'system') },
          how,
        ),
    }),
    'no turn is dropped',
  ],
  [
    'the signal is ignored',
    (good) => ({
      generate: (endpoint, request, { stream }) =>
        good.generate(endpoint, request, { stream, signal: new AbortController().signal }),
    }),
    'an abort between two tokens',
  ],
  [
    'an abort is thrown as it is',
    (good) => ({
      async *generate(endpoint, request, how) {
        how.signal.throwIfAborted()
        yield* good.generate(endpoint, request, how)
      },
    }),
    'an abort before the call',
  ],
  [
    'it settles before the server has stopped',
    (good) => ({
      async *generate(endpoint, request, how) {
        const { signal } = new AbortController()
        const events = good.generate(endpoint, request, { ...how, signal })[Symbol.asyncIterator]()
        for (let step = await events.next(); !step.done; step = await events.next()) yield step.value
      },
    }),
    'a reader that leaves early',
    100,
  ],
  [
    'one call at a time, the others fail',
    (good) => {
      let busy = false
      return {
        async *generate(...call) {
          if (busy) throw new Error('busy')
          busy = true
          yield* good.generate(...call)
          busy = false
        },
      }
    },
    'calls at the same time',
  ],
  ['a probe without models', () => ({ probe: async () => ({ models: [''] }) }), 'a probe answers'],
  ['a probe that never answers', () => ({ probe: () => new Promise(() => {}) }), 'a probe answers'],
  ['tokens counted by a constant', () => ({ countTokens: async () => 7 }), 'tokens are counted'],
  ['closing does nothing', () => ({ close: async () => {} }), 'it may be closed twice'],
]

test.each(faults)('%s is found', async (_, broken, found, speed) => {
  expect(await failures(broken, speed)).toContainEqual(expect.stringContaining(found))
})

test('a good backend has no failures', async () => {
  // However busy the machine is.
  expect(await failures(() => ({}), 1000, 30_000)).toEqual([])
})
