import type { LookupAddress } from 'node:dns'
import { expect, it } from 'vitest'
import type { Lookup } from '../src/callbacks/post-callback.ts'
import type { CallbackPolicyOptions } from '../src/index.ts'
import { startCallbackReceiver } from './callback-receiver.ts'
import { openCallbackSender } from './open-callback-sender.ts'

// Each of them over a real socket: what is blocked must never have been dialled.

/** A resolver that gives one answer after the other, the last one again and again. */
function resolver(...answers: readonly (readonly string[])[]) {
  const asked: string[] = []
  const lookup: Lookup = (hostname, _options, callback) => {
    const addresses = answers[Math.min(asked.push(hostname), answers.length) - 1] ?? []
    const found = addresses.map(
      (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
    )
    setImmediate(() => callback(null, found))
  }
  return { lookup, asked }
}

async function attemptTo(host: string, policy: Partial<CallbackPolicyOptions>, lookup?: Lookup) {
  await using receiver = await startCallbackReceiver(200)
  const url = `http://${host}:${receiver.port}`
  await using at = await openCallbackSender({ to: [{ url }], policy, ...(lookup && { sender: { lookup } }) })
  const id = await at.end(`${url}/done`)
  await at.reported(1)
  return { received: receiver.received.length, attempts: (await at.deliveryOf(id))?.attempts ?? [] }
}

it.each([
  ...['localhost', '127.0.0.1', '127.1', '0x7f.1', '2130706433', '0.0.0.0'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::1]', '[::]'],
])('never dials %s', async (host) => {
  const { received, attempts } = await attemptTo(host, { privateNetworks: [] })
  expect(received).toBe(0)
  expect(attempts).toMatchObject([{ error: 'blocked' }])
})

it.each(['localhost', '0x7f.1', '[::ffff:127.0.0.1]'])(
  'dials %s where its network is allowed',
  async (host) => {
    const { received, attempts } = await attemptTo(host, { privateNetworks: ['127.0.0.0/8', '::1/128'] })
    expect(received).toBe(1)
    expect(attempts).toMatchObject([{ status: 200 }])
  },
)

it.each([
  [['127.0.0.1']],
  [['169.254.169.254']],
  [['::ffff:127.0.0.1']],
  [['fe80::1%lo']],
  // One that is allowed does not excuse another.
  [['93.184.216.34', '127.0.0.1']],
])('never dials a name that stands for %j', async (addresses) => {
  const { lookup } = resolver(addresses)
  const { received, attempts } = await attemptTo('hooks.example.com', { privateNetworks: [] }, lookup)
  expect(received).toBe(0)
  expect(attempts).toMatchObject([{ error: 'blocked' }])
})

it('dials the very address that was checked: a name that changes in between gains nothing', async () => {
  const { lookup, asked } = resolver(['127.0.0.1'], ['127.0.0.2'])
  const { received, attempts } = await attemptTo(
    'hooks.example.com',
    { privateNetworks: ['127.0.0.2/32', '127.0.0.1/32'] },
    lookup,
  )
  expect(attempts).toMatchObject([{ status: 200 }])
  expect(received).toBe(1)
  expect(asked).toEqual(['hooks.example.com'])
})

it('looks again for each attempt: a name that changes later is blocked then', async () => {
  const { lookup } = resolver(['127.0.0.1'], ['127.0.0.2'])
  await using receiver = await startCallbackReceiver(500)
  const url = `http://hooks.example.com:${receiver.port}`
  await using at = await openCallbackSender({
    to: [{ url }],
    policy: { privateNetworks: ['127.0.0.1/32'] },
    sender: { lookup },
  })
  const id = await at.end(`${url}/done`)
  await at.reported(1)
  await at.clock.advance(5_000)
  await at.reported(2)
  expect(receiver.received).toHaveLength(1)
  expect((await at.deliveryOf(id))?.attempts).toMatchObject([{ status: 500 }, { error: 'blocked' }])
})

it('ends a ticket whose callback is no address, and says so', async () => {
  await using at = await openCallbackSender({ to: [] })
  const id = await at.end('no address')
  await at.reported(1)
  expect((await at.store.get(id))?.state.status).toBe('completed')
  expect((await at.deliveryOf(id))?.attempts).toMatchObject([{ error: 'not_allowed' }])
})

it('asks the list again for each attempt', async () => {
  await using receiver = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [{ url: 'https://other.example' }] })
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect(receiver.received).toEqual([])
  expect(await at.deliveryOf(id)).toMatchObject({ status: 'pending', attempts: [{ error: 'not_allowed' }] })
})
