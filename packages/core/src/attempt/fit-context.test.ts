import { expect, test } from 'vitest'
import type { Turn } from '../contract/prompt.ts'
import { type Fitting, fitContext, wasTruncated } from './fit-context.ts'

const user = (content: string): Turn => ({ role: 'user', content })
const system: Turn = { role: 'system', content: 'Be brief.' }

/** One token for each character of the turns. */
const countCharacters = async (turns: readonly Turn[]) =>
  turns.reduce((sum, { content }) => sum + (content?.length ?? 0), 0)

const fitting = (options: Partial<Fitting> & Pick<Fitting, 'turns'>): Fitting => ({
  maxTokens: undefined,
  defaultMaxTokens: 512,
  policy: 'refuse',
  contextLength: async () => 2_048,
  count: countCharacters,
  ...options,
})

async function fitted(options: Parameters<typeof fitting>[0]) {
  const result = await fitContext(fitting(options))
  if (!result.ok) throw new Error(result.failure.details)
  return result.value
}

const refuseToCount = async (): Promise<number> => {
  throw new Error('nobody should count')
}

test('a short prompt is sent as it is, and nobody is asked anything', async () => {
  const turns = [user('Hi')]
  expect(await fitted({ turns, maxTokens: 100, count: refuseToCount, contextLength: refuseToCount })).toEqual(
    {
      turns,
      maxTokens: 100,
      promptTokens: undefined,
      dropped: [],
    },
  )
})

test('nothing is counted while an upper bound fits', async () => {
  const turns = [user('x'.repeat(1_400))]
  expect(await fitted({ turns, count: refuseToCount })).toMatchObject({ maxTokens: 512 })
})

test('the default answer takes the room that is left', async () => {
  expect(await fitted({ turns: [user('x'.repeat(1_948))] })).toMatchObject({
    maxTokens: 100,
    promptTokens: 1_948,
  })
})

test('a given max_tokens is kept, and a prompt too long beside it refused with the numbers', async () => {
  const result = await fitContext(fitting({ turns: [user('x'.repeat(1_948))], maxTokens: 101 }))
  expect(result).toMatchObject({ ok: false, failure: { code: 'context_length_exceeded' } })
  expect(result).toMatchObject({ failure: { details: expect.stringContaining('1948 tokens') } })
  expect(result).toMatchObject({
    failure: { details: expect.stringContaining('needs 101, but the context holds 2048') },
  })
})

test('drop_oldest leaves out whole turns, never the system turn nor the last user turn', async () => {
  const turns = [user('a'.repeat(900)), system, user('b'.repeat(900)), user('c'.repeat(900))]
  const fit = await fitted({ turns, policy: 'drop_oldest', maxTokens: 200 })
  expect(fit).toMatchObject({ dropped: [0], turns: [system, turns[2], turns[3]], promptTokens: 1_809 })
})

test.each([
  ['counted', countCharacters, 1],
  ['estimated, at three bytes a token', async () => undefined, 3],
])(
  'cut_left keeps the end of the last user turn, and what is to be kept of its beginning: %s',
  async (_how, count, charactersPerToken) => {
    const text = `MEMORY ${'x'.repeat(3_000)} THE END`
    const turns = [system, user('old'), user(text)]
    const fit = await fitted({
      turns,
      policy: 'cut_left',
      keepsFirst: 7,
      maxTokens: 1_948,
      count,
      contextLimit: 2_048,
    })
    expect(fit).toMatchObject({ maxTokens: 1_638, dropped: [1], isCut: true })
    const [first, last] = fit.turns.map(({ content }) => String(content))
    expect([fit.turns.length, first]).toEqual([2, 'Be brief.'])
    expect(last).toMatch(/^MEMORY x+ THE END$/)
    const left = 2_048 - 1_638
    expect(last?.length).toBeGreaterThan((left - 60) * charactersPerToken)
    expect(last?.length).toBeLessThanOrEqual(left * charactersPerToken)
  },
)

test('cut_left never refuses, cuts no character in half, and lets what is kept go last', async () => {
  const turns = [user(`${'😀'.repeat(2_000)}!`)]
  const fit = await fitted({
    turns,
    policy: 'cut_left',
    keepsFirst: 10_000,
    maxTokens: 3_000,
    contextLimit: 101,
  })
  expect(fit.maxTokens).toBe(80)
  expect(String(fit.turns[0]?.content)).toMatch(/^(😀){5,10}!$/u)
})

test('cut_left leaves alone what fits, also under a limit of the caller', async () => {
  const turns = [user('x'.repeat(300))]
  const options = { turns, policy: 'cut_left', maxTokens: 100 } as const
  expect(await fitted({ ...options, contextLimit: 400 })).toEqual({
    ...{ turns, maxTokens: 100, promptTokens: 300, dropped: [] },
  })
  expect(await fitted({ ...options, contextLimit: 399 })).toMatchObject({ isCut: true })
})

test('a limit of the caller counts as the context where it is the smaller one', async () => {
  const turns = [user('x'.repeat(300))]
  const refused = await fitContext(fitting({ turns, maxTokens: 100, contextLimit: 399 }))
  expect(refused).toMatchObject({ failure: { details: expect.stringContaining('the context holds 399') } })
  const long = [user('x'.repeat(2_000))]
  expect(
    await fitted({ turns: long, maxTokens: 100, contextLimit: 9_999, policy: 'cut_left' }),
  ).toMatchObject({
    isCut: true,
  })
})

test('drop_oldest refuses where even that is too long', async () => {
  const turns = [user('a'.repeat(900)), system, user('c'.repeat(2_000))]
  const result = await fitContext(fitting({ turns, policy: 'drop_oldest', maxTokens: 200 }))
  expect(result).toMatchObject({ ok: false, failure: { code: 'context_length_exceeded' } })
})

test.each<[string, Partial<Fitting>]>([
  ['the policy is off', { policy: 'off' }],
  ['nobody knows the context', { contextLength: async () => undefined }],
  ['the backend cannot count', { count: async () => undefined }],
])('where %s everything is sent', async (_name, options) => {
  const turns = [user('x'.repeat(9_000))]
  expect(await fitted({ turns, ...options })).toMatchObject({ turns, maxTokens: 512, dropped: [] })
})

test('a cut prompt is caught by the count, or by its words', () => {
  const fit = { turns: [user('word '.repeat(100))], maxTokens: 1, dropped: [] }
  const cut = (promptTokens: number | undefined, read: number | undefined) =>
    wasTruncated({ ...fit, promptTokens }, read, undefined)
  expect(cut(1_000, 500)).toBe(true)
  expect(cut(1_000, 980)).toBe(false)
  expect(cut(undefined, 40)).toBe(true)
  expect(cut(undefined, 100)).toBe(false)
  expect(cut(undefined, undefined)).toBe(false)
})

test.each([
  ['fills what the answer leaves of the context', { maxTokens: 8, read: 1_016 }, true],
  ['leaves a place free', { maxTokens: 8, read: 1_015 }, false],
  ['was counted, and fits exactly', { maxTokens: 8, read: 1_016, counted: 1_016 }, false],
  ['is cut for an answer of 80 % of the context', { maxTokens: 1_000, read: 204 }, true],
  ['is shorter than its room', { maxTokens: 100, read: 400 }, false],
])('a prompt that %s', (_what, { maxTokens, read, counted }: CutCase, isCut) => {
  const fit = { turns: [user('Hi')], maxTokens, promptTokens: counted, dropped: [] }
  expect(wasTruncated(fit, read, 1_024)).toBe(isCut)
})

interface CutCase {
  readonly maxTokens: number
  readonly read: number
  readonly counted?: number
}
