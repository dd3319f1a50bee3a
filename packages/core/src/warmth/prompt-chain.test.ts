import { expect, test } from 'vitest'
import type { Prompt, Turn } from '../contract/prompt.ts'
import { createChainer, partsAtTurn, sharedTokens, tokensOf } from './prompt-chain.ts'

const chainer = createChainer(() => 0.3)
const root = { model: undefined, schema: undefined }
const promptOf = (turns: Turn[], parameters: Prompt['parameters'] = {}): Prompt => ({
  turns,
  parameters,
})
const chainOf = (...turns: Turn[]) => chainer.chainOf(promptOf(turns), root)
const user = (content: string): Turn => ({ role: 'user', content })
const assistant = (content: string): Turn => ({ role: 'assistant', content })
const rules: Turn = { role: 'system', content: 'r'.repeat(400) }

test('prompts share the turns that they begin with', () => {
  const one = chainOf(rules, user('first mail'))
  const other = chainOf(rules, user('second mail'))
  expect(sharedTokens(one, other)).toBe(100)
  expect(partsAtTurn(one, 100)).toBe(true)
  expect(sharedTokens(one, chainOf(user('first mail')))).toBe(0)
  expect(sharedTokens(one, one)).toBe(tokensOf(one))
})

test('instructions and mail in one turn share what comes before the mail, to a link', () => {
  const one = chainOf(user(`${'r'.repeat(2_000)} first`))
  const other = chainOf(user(`${'r'.repeat(2_000)} second`))
  expect(sharedTokens(one, other)).toBeGreaterThanOrEqual(2_000 / 4 - 64)
  expect(sharedTokens(one, other)).toBeLessThanOrEqual(2_000 / 4)
  expect(partsAtTurn(one, sharedTokens(one, other))).toBe(false)
})

test('the next prompt of a conversation begins with the answer as the caller got it', () => {
  const answered = chainer.extend(chainOf(rules, user('question')), assistant('\n An answer. \n'))
  const next = chainOf(rules, user('question'), assistant('An answer.'), user('next question'))
  expect(sharedTokens(answered, next)).toBe(tokensOf(answered))
})

test('other tools, another schema or another model make another prompt', () => {
  const turns = [rules, user('question')]
  const plain = chainOf(...turns)
  const tools = [{ type: 'function', function: { name: 'look' } }]
  expect(sharedTokens(plain, chainer.chainOf(promptOf(turns, { tools }), root))).toBe(0)
  expect(sharedTokens(plain, chainer.chainOf(promptOf(turns), { ...root, schema: { type: 'object' } }))).toBe(
    0,
  )
  expect(sharedTokens(plain, chainer.chainOf(promptOf(turns), { ...root, model: 'other' }))).toBe(0)
})

test('calls of tools and images belong to a turn', () => {
  const call = { id: '1', type: 'function', function: { name: 'look', arguments: '{}' } }
  const withCall = chainOf(rules, { role: 'assistant', content: null, tool_calls: [call] })
  expect(sharedTokens(withCall, chainOf(rules, { role: 'assistant', content: null }))).toBe(100)
  const image = (url: string): Turn => ({
    role: 'user',
    content: [{ type: 'image_url', image_url: { url } }],
  })
  expect(sharedTokens(chainOf(rules, image('a')), chainOf(rules, image('b')))).toBe(100)
})

test('another process has other hashes, and a megabyte a hundred of them', () => {
  const elsewhere = createChainer(() => 0.7).chainOf(promptOf([rules]), root)
  expect(sharedTokens(chainOf(rules), elsewhere)).toBe(0)
  expect(chainOf(user('x'.repeat(1_000_000))).length).toBeLessThan(120)
  expect(JSON.stringify(chainOf(rules))).not.toContain('rrr')
})
