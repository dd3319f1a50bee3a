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
