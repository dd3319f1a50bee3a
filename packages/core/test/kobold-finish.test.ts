import { expect, test } from 'vitest'
import { ask, startKobold } from './ask-kobold.ts'

// KoboldCPP says "length" for its limit, for a stop string and for an abort alike. What really ended an answer.

interface Ending {
  readonly text: string
  /** Prompt and completion tokens; absent: the server does not count (1.76, streams with tools). */
  readonly usage?: readonly [number, number]
  /** As `GET /api/extra/perf` has it after the answer; absent: it cannot be asked. */
  readonly perf?: { readonly stop_reason: number; readonly last_token_count: number }
  readonly maxTokens?: number
  readonly contextLength?: number
}

async function endOf({ text, usage, perf, maxTokens = 100, contextLength }: Ending, raw = 'length') {
  const [prompt_tokens = 0, completion_tokens = 0] = usage ?? []
  const chat = {
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: raw }],
    ...(usage && {
      usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
    }),
  }
  await using kobold = await startKobold(({ path, reply }) => {
    if (path.endsWith('/perf')) reply(perf ? JSON.stringify({ idle: 1, queue: 0, ...perf }) : 'not JSON')
    else if (path.endsWith('/completions')) reply(JSON.stringify(chat))
    else reply(JSON.stringify({ value: contextLength }))
  })
  if (contextLength !== undefined) await kobold.backend.probe(new AbortController().signal)
  const asked = kobold.seen.length
  const { end } = await ask(kobold.backend, { parameters: { max_tokens: maxTokens } })
  const looks = kobold.seen.slice(asked).filter((line) => line.startsWith('perf')).length
  return { reason: end.finish_reason, looks }
}

const WORDS = 'one two three four five six seven'

test.each<[string, Ending, 'length' | 'stop', number]>([
  ['the count reached the limit', { text: WORDS, usage: [9, 100] }, 'length', 0],
  ['prompt and answer fill the context', { text: WORDS, usage: [500, 12], contextLength: 512 }, 'length', 0],
  [
    'more than 80 % of the context was asked for, and so much came',
    { text: WORDS, usage: [9, 410], maxTokens: 450, contextLength: 512 },
    'length',
    0,
  ],
  [
    'the server has a limit of its own (--genlimit)',
    { text: WORDS, usage: [9, 40], perf: { stop_reason: 0, last_token_count: 40 } },
    'length',
    1,
  ],
  [
    'a stop string ended it',
    { text: WORDS, usage: [9, 40], perf: { stop_reason: 2, last_token_count: 40 } },
    'stop',
    1,
  ],
  [
    'another program was answered since',
    { text: WORDS, usage: [9, 40], perf: { stop_reason: 0, last_token_count: 41 } },
    'stop',
    1,
  ],
  [
    'nobody counts, and the limit ended it',
    { text: WORDS, perf: { stop_reason: 0, last_token_count: 7 } },
    'length',
    1,
  ],
  [
    'nobody counts, and a stop string ended it',
    { text: WORDS, perf: { stop_reason: 2, last_token_count: 7 } },
    'stop',
    1,
  ],
  [
    'nobody counts, and the last answer was longer than this one',
    { text: WORDS, perf: { stop_reason: 0, last_token_count: 700 } },
    'stop',
    1,
  ],
  ['nobody can say', { text: WORDS }, 'stop', 1],
])('"length", where %s', async (_what, ending, reason, looks) => {
  expect(await endOf(ending)).toEqual({ reason, looks })
})

test('the end of the text is believed, and nobody is asked', async () => {
  expect(await endOf({ text: WORDS, usage: [9, 7] }, 'stop')).toEqual({ reason: 'stop', looks: 0 })
})
