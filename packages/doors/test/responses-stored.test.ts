import { expect, test, vi } from 'vitest'
import { openResponsesServer } from './open-responses-server.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const SLOW = { tokensPerSecond: 25, answer: () => 'word '.repeat(300) }
const ASKED = { model: 'any', input: 'Hello' }

test('an Idempotency-Key finds the response of its own request, and refuses another one', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const send = (body: object) =>
    fetch(`${at.origin}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' },
      body: JSON.stringify({ background: true, ...body }),
    })
  const first = await send({ input: 'Hello', temperature: 0.1 })
  const { id } = (await first.json()) as { readonly id: string }
  const again = await send({ temperature: 0.1, input: 'Hello' })
  expect(await again.json()).toMatchObject({ id })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  for (const other of [{ input: 'Something else' }, { input: 'Hello', temperature: 0.2 }]) {
    const refused = await send(other)
    expect([refused.status, await refused.json()]).toMatchObject([
      422,
      { error: { code: 'idempotency_key_reused' } },
    ])
  }
})

const followed = async (origin: string, onDelta: () => void): Promise<string> => {
  const response = await fetch(`${origin}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...ASKED, background: true, stream: true }),
  })
  const decoder = new TextDecoder()
  let text = ''
  const read = async () => {
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true })
      if (text.includes('response.output_text.delta')) onDelta()
    }
  }
  // A clean end would pass for that of the response.
  await expect(read()).rejects.toThrow()
  const [name, data] = text.trimEnd().split('\n').slice(-2)
  expect(name).toBe('event: error')
  return data ?? ''
}

test('a stream of a response that is removed meanwhile breaks off with an error, and does not stay open', async () => {
  await using at = await openResponsesServer({ simulated: SLOW })
  const last = await followed(at.origin, () => vi.spyOn(at.store, 'peek').mockResolvedValue(undefined))
  expect(last).toContain('"type":"error"')
  expect(last).toContain('"code":"not_found"')
})

test('a stream of a response that goes on after the server has stopped breaks off with an error', async () => {
  await using at = await openResponsesServer({ simulated: SLOW })
  const last = await followed(at.origin, () => void at.server.close())
  expect(last).toContain('"code":"shutting_down"')
})

test('an item of a response that is not stored cannot be referred to, as its response cannot', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const given = await at.client().responses.create({ ...ASKED, store: false })
  const id = given.output[0]?.id ?? ''
  expect(id).toMatch(/^msg_/)
  const input = [
    { type: 'item_reference', id },
    { role: 'user', content: 'Go on.' },
  ]
  const eventId = given.id.replace('resp_', 'evt_')
  await expect.poll(async () => (await at.store.list({ eventId, limit: 1 })).tickets.length).toBe(1)
  expect(await at.post('/v1/responses', { input })).toMatchObject({ status: 404 })
})

test.each([false, true])(
  'a lone system turn, and a limit beyond the context, are taken with background: %s',
  async (background) => {
    await using at = await openResponsesServer({ simulated: { ...AT_ONCE, contextLength: 2_048 } })
    const { body } = await at.post('/v1/responses', {
      background,
      input: [{ role: 'system', content: 'Greet the user.' }],
      max_output_tokens: 32_000,
    })
    const { id } = body as { readonly id: string }
    const ended = () => at.client().responses.retrieve(id)
    await expect.poll(ended).toMatchObject({ status: 'completed', background, max_output_tokens: 32_000 })
  },
)

test.each([
  ['a bare prompt', 'Why?', ['Why?']],
  ['a prompt', { prompt: 'Why?', temperature: 0.1 }, ['Why?']],
  ['texts', ['Why?', 'And how?'], ['Why?', 'And how?']],
  ['messages in a text', '{"messages":[{"role":"user","content":"Why?"}]}', ['Why?']],
  ['an object of its own', { order: 7 }, ['{"order":7}']],
])('a response goes on with a ticket of POST /event that holds %s', async (_what, content, said) => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const reply = await fetch(`${at.origin}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async, wait=10' },
    body: JSON.stringify({ content }),
  })
  const ticketId = reply.headers.get('location')?.split('/').at(-1) ?? ''
  const { completion } = (await reply.json()) as { readonly completion: string }
  const previous_response_id = ticketId.replace('tkt_', 'resp_')
  expect(await at.post('/v1/responses', { input: 'Go on.', previous_response_id })).toMatchObject({
    status: 200,
  })
  const messages = [
    ...said.map((words) => ({ role: 'user', content: words })),
    { role: 'assistant', content: completion },
    { role: 'user', content: 'Go on.' },
  ]
  expect(at.simulator.calls.at(-1)).toMatchObject({ body: { messages } })
})

test('the responses of items that are referred to are looked up at the same time, each once', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const answers = await Promise.all(Array.from({ length: 6 }, () => at.client().responses.create(ASKED)))
  const eventIds = answers.map(({ id }) => id.replace('resp_', 'evt_'))
  await expect.poll(async () => (await at.store.list({ limit: 10 })).tickets.length).toBe(6)
  const { find } = at.server.tickets
  const asked: string[] = []
  const all = Promise.withResolvers<void>()
  vi.spyOn(at.server.tickets, 'find').mockImplementation(async (request, by) => {
    if ('eventId' in by) {
      if (asked.push(by.eventId) === answers.length) all.resolve()
      await all.promise
    }
    return find(request, by)
  })
  const items = answers.flatMap(({ output }) => {
    const item = { type: 'item_reference', id: output[0]?.id }
    return [item, { role: 'user', content: 'Go on.' }, item, { role: 'user', content: 'Again.' }]
  })
  expect(await at.post('/v1/responses', { input: items })).toMatchObject({ status: 200 })
  expect(asked).toEqual(eventIds)
})
