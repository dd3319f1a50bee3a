import { expect, test } from 'vitest'
import { openResponsesServer } from './open-responses-server.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

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
