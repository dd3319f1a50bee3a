import { createKoboldBackend, type Endpoint } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { ask, replayed } from './ask-kobold.ts'

const schema = () => ({
  type: 'object',
  properties: { label: { enum: ['bug', 'question'] } },
  required: ['label'],
})
const never = new AbortController().signal
const chat: Endpoint = { name: 'chat', turns: true, images: true, tools: true, schema: 'grammar' }

test('fact 37: the grammar that the server makes of a schema goes to every endpoint', async () => {
  const names = ['new-json-to-grammar', 'chat-normal', 'completions-normal', 'generate-normal']
  await using kobold = await replayed('1.115.1', names)
  const asked = schema()
  expect(await kobold.backend.enforces?.(chat, asked, never)).toBe(true)
  for (const endpoint of ['chat', 'text', 'native'] as const)
    await ask(kobold.backend, { endpoint, schema: asked })
  const grammars = kobold.server.requests.flatMap(
    ({ body }) => (body as { grammar?: string } | undefined)?.grammar ?? [],
  )
  expect(grammars).toHaveLength(3)
  for (const grammar of grammars) expect(grammar).toContain('root ::= "{" space label-kv')
  expect(JSON.stringify(kobold.server.requests.map(({ body }) => body))).not.toContain('response_format')
})

test('fact 37: a schema that the server cannot turn is known to be dropped', async () => {
  await using kobold = await replayed('1.115.1', 'new-json-to-grammar-not-a-schema')
  expect(await kobold.backend.enforces?.(chat, schema(), never)).toBe(false)
})

test('fact 37: 1.76 knows no schemas, and gets a grammar that is made here', async () => {
  await using kobold = await replayed('1.76', ['chat-normal', 'completions-normal', 'generate-normal'])
  const asked = schema()
  expect(await kobold.backend.enforces?.(chat, asked, never)).toBe(true)
  expect(kobold.server.requests.map(({ path }) => path)).toEqual(['/api/extra/version'])
  for (const endpoint of ['chat', 'text', 'native'] as const)
    await ask(kobold.backend, { endpoint, schema: asked })
  const grammars = kobold.server.requests.flatMap(
    ({ body }) => (body as { grammar?: string } | undefined)?.grammar ?? [],
  )
  expect(grammars).toHaveLength(3)
  for (const grammar of grammars) expect(grammar).toContain(String.raw`"\"bug\"" | "\"question\""`)
})

test('a schema that no grammar can say is told to the model of 1.76 instead', async () => {
  await using kobold = await replayed('1.76', 'chat-normal')
  expect(await kobold.backend.enforces?.(chat, { not: { type: 'string' } }, never)).toBe(false)
})

test('what the server said of a schema is kept: yes for good, no for ten minutes', async () => {
  const clock = createVirtualClock()
  await using yes = await replayed('1.115.1', 'new-json-to-grammar', { clock })
  await using no = await replayed('1.115.1', 'new-json-to-grammar-not-a-schema', { clock })
  const asked = schema()
  for (const { backend } of [yes, no, yes, no]) await backend.enforces?.(chat, asked, never)
  expect([yes.server.requests.length, no.server.requests.length]).toEqual([2, 2])
  await clock.advance(600_000)
  for (const { backend } of [yes, no]) await backend.enforces?.(chat, asked, never)
  expect([yes.server.requests.length, no.server.requests.length]).toEqual([2, 4])
})

test('a server that does not answer enforces nothing, and is asked again next time', async () => {
  const backend = createKoboldBackend({ url: 'http://127.0.0.1:9' })
  expect(await backend.enforces?.(chat, schema(), never)).toBe(false)
  await backend.close()
})
