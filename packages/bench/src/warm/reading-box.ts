import {
  type Backend,
  BackendError,
  type Clock,
  type GenerationEvent,
  type GenerationRequest,
  sleep,
} from '@ai-ticket/core'
import { createPromptMemory, type PromptMemory } from '@ai-ticket/testkit'
import type { Scenario } from './scenarios.ts'

/** The real server stays locked for so long after an answer. */
export const LOCKED_MS = 50

/** What a box does with a prompt: shared by the backend on the virtual clock and by the plan that knows all arrivals. */
export interface ReadingBox {
  /** Tokens that it would not have to read, as it is now. */
  warmTokens(prompt: string): number
  /** The model in memory. */
  readonly loaded: string | undefined
  serve(asked: AskedBox): { readonly readTokens: number; readonly workMs: number }
}

interface AskedBox {
  readonly prompt: string
  readonly answer: string
  /** Undefined: whatever is loaded. */
  readonly model: string | undefined
}

export function createReadingBox({ smartcache, reads, writes, loadMs = 0 }: Scenario): ReadingBox {
  const memory: PromptMemory = createPromptMemory(1 + smartcache)
  let last = ''
  let loaded: string | undefined
  return {
    warmTokens: (prompt) => (smartcache === 0 ? sharedTokens(last, prompt) : 0),
    get loaded() {
      return loaded
    },
    serve({ prompt, answer, model = loaded }) {
      const swaps = model !== loaded
      loaded = model
      if (swaps) memory.clear()
      const reading = memory.read(prompt)
      const tokens = Math.ceil(prompt.length / 4)
      const readTokens = Math.max(1, tokens - reading.warmTokens)
      reading.end({ tokens: Number.POSITIVE_INFINITY, written: answer })
      last = prompt + answer
      const workMs = (readTokens * 1000) / reads + (answer.length / 4 / writes) * 1000
      return { readTokens, workMs: workMs * unevenness(prompt) + (swaps ? loadMs : 0) }
    },
  }
}

/** No two calls take quite the same time; the same prompt does, whoever serves it. */
function unevenness(prompt: string): number {
  let hash = 7
  for (let index = 0; index < prompt.length; index += 13)
    hash = (hash * 31 + prompt.charCodeAt(index)) % 65_521
  return 0.85 + (0.3 * ((hash * 7919) % 65_521)) / 65_521
}

function sharedTokens(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return Math.floor(length / 4)
}

export type Message = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

/** As a server without a chat template writes them. */
export function promptOf(turns: readonly { role: string; content: unknown }[]): string {
  const written = turns.map(
    ({ role, content }) => `\n### ${role === 'assistant' ? 'Response' : role}:\n${content}`,
  )
  return `${written.join('')}\n### Response:\n`
}

/** Always the same answer of that length to the same prompt. */
export const answerOf = (prompt: string, tokens: number): string =>
  `answer ${prompt.length} `
    .repeat(tokens)
    .slice(0, tokens * 4 - 1)
    .concat('.')

/** A box as a backend, on any clock: it reads, writes, and says how many tokens there were, but not how many it read. */
export function createReadingBackend(
  name: string,
  scenario: Scenario,
  { clock, onServed }: { readonly clock: Clock; onServed(call: ServedCall): void },
): Backend {
  const box = createReadingBox(scenario)
  const named = scenario.talks.flatMap(({ model }) => model ?? [])
  const models = named.length > 0 ? [...new Set(named)] : ['m']
  let freeAt = 0
  async function* generate(
    _endpoint: unknown,
    { turns, parameters, model }: GenerationRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<GenerationEvent> {
    const prompt = promptOf(turns)
    const text = answerOf(prompt, parameters.max_tokens)
    const startedAt = Math.max(clock.now(), freeAt)
    const { readTokens, workMs } = box.serve({ prompt, answer: text, model })
    try {
      await sleep(clock, startedAt + workMs - clock.now(), signal)
    } catch {
      throw new BackendError('aborted', 'stopped')
    }
    freeAt = clock.now() + LOCKED_MS
    onServed({ box: name, prompt, startedAt, readTokens })
    const prompt_tokens = Math.ceil(prompt.length / 4)
    yield {
      type: 'end',
      text,
      finish_reason: 'length',
      raw_finish_reason: 'length',
      usage: { prompt_tokens, completion_tokens: parameters.max_tokens },
    }
  }
  return {
    name,
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    generate,
    probe: async () => ({
      models,
      contextLength: 1_000_000,
      ...(scenario.loadMs !== undefined && { loaded: box.loaded ? [{ name: box.loaded }] : [] }),
    }),
    close: async () => {},
  }
}

export interface ServedCall {
  readonly box: string
  readonly prompt: string
  readonly startedAt: number
  readonly readTokens: number
}
