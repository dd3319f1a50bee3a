import { Webhook } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { createCallbackSender, StoreUnavailable, type TicketStore } from '../src/index.ts'
import { type ReceivedCallback, startCallbackReceiver } from './callback-receiver.ts'
import { openCallbackSender, SECRET } from './open-callback-sender.ts'

const verify = ({ body, headers }: ReceivedCallback, secret = SECRET) =>
  new Webhook(secret).verify(body, headers as Record<string, string>)

it('tells of the end of a ticket, signed by Standard Webhooks', async () => {
  await using receiver = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [receiver], sender: { version: '1.2.3' } })
  const id = await at.end(`${receiver.url}/done?token=s3cret`, { metadata: { order: '7' } })
  await at.reported(1)
  const [got] = receiver.received
  if (got === undefined) throw new Error('nothing came')
  expect(got.path).toBe('/done?token=s3cret')
  expect(got.headers).toMatchObject({
    'content-type': 'application/json',
    'user-agent': 'AI-Ticket/1.2.3',
    'webhook-id': id.replace('tkt_', 'msg_'),
  })
  const now = new Date(at.clock.wallTime()).toISOString()
  expect(verify(got)).toEqual({
    type: 'ticket.completed',
    timestamp: now,
    data: {
      id,
      object: 'ticket',
      event_id: 'evt_1',
      status: 'completed',
      created_at: now,
      started_at: now,
      finished_at: now,
      metadata: { order: '7' },
      links: { self: `/tickets/${id}` },
    },
  })
  expect(await at.deliveryOf(id)).toMatchObject({ status: 'delivered', attempts: [{ status: 200 }] })
  expect(at.reports).toEqual([{ result: 'delivered', durationMs: 0 }])
  expect(await at.sender.pending()).toBe(0)
})

it('sends the outcome where it is wanted, and never the prompt', async () => {
  await using receiver = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [receiver], sender: { content: 'full' } })
  await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect(receiver.received[0] && verify(receiver.received[0])).toMatchObject({
    data: { outcome: { completion: 'Because of the light.' } },
  })
  expect(receiver.received[0]?.body).not.toContain('secret prompt')
})

it('signs with every secret, so that they can be changed', async () => {
  await using receiver = await startCallbackReceiver(200)
  const next = `whsec_${Buffer.alloc(24, 'the next secret').toString('base64')}`
  await using at = await openCallbackSender({ to: [receiver], sender: { secrets: [next, SECRET] } })
  await at.end(`${receiver.url}/done`)
  await at.reported(1)
  for (const secret of [SECRET, next])
    expect(receiver.received[0] && verify(receiver.received[0], secret)).toBeTruthy()
})

it('tries again under the same id, with the time of the attempt', async () => {
  await using receiver = await startCallbackReceiver(500, 200)
  await using at = await openCallbackSender({ to: [receiver] })
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  await at.clock.advance(4_999)
  expect(receiver.received).toHaveLength(1)
  await at.clock.advance(1)
  await at.reported(2)
  const [first, second] = receiver.received.map(({ headers }) => headers)
  expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
  expect(Number(second?.['webhook-timestamp']) - Number(first?.['webhook-timestamp'])).toBe(5)
  expect(await at.deliveryOf(id)).toMatchObject({
    status: 'delivered',
    attempts: [{ status: 500, error: 'refused' }, { status: 200 }],
  })
  expect(at.reports.map(({ result }) => result)).toEqual(['failed', 'delivered'])
})

it('stops for good at 410', async () => {
  await using receiver = await startCallbackReceiver(410)
  await using at = await openCallbackSender({ to: [receiver] })
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect(await at.deliveryOf(id)).toMatchObject({
    status: 'dead',
    attempts: [{ status: 410, error: 'gone' }],
  })
  expect(at.reports).toMatchObject([{ result: 'dead', error: 'gone' }])
})

it.each([301, 302, 307, 308])('follows no redirect (%i)', async (status) => {
  await using elsewhere = await startCallbackReceiver(200)
  await using receiver = await startCallbackReceiver((response) =>
    response.writeHead(status, { location: `${elsewhere.url}/other` }).end(),
  )
  await using at = await openCallbackSender({ to: [receiver, elsewhere] })
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect(await at.deliveryOf(id)).toMatchObject({
    status: 'pending',
    attempts: [{ status, error: 'redirect' }],
  })
  expect(elsewhere.received).toEqual([])
})

it('waits as long as the receiver asks', async () => {
  await using receiver = await startCallbackReceiver(
    (response) => response.writeHead(429, { 'retry-after': '600' }).end(),
    200,
  )
  await using at = await openCallbackSender({ to: [receiver] })
  await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect(await at.store.callbacks.nextDueInMs()).toBe(600_000)
})

it('gives up an attempt after 15 s', async () => {
  await using receiver = await startCallbackReceiver(null, 200)
  await using at = await openCallbackSender({ to: [receiver] })
  const id = await at.end(`${receiver.url}/done`)
  await receiver.waitFor(() => receiver.received.length === 1)
  await at.clock.advance(14_999)
  expect(at.reports).toEqual([])
  await at.clock.advance(1)
  await at.reported(1)
  await receiver.waitFor(() => receiver.running === 0)
  const attempts = [{ durationMs: 15_000, error: 'timeout' }]
  expect(await at.deliveryOf(id)).toMatchObject({ status: 'pending', attempts })
  await at.clock.advance(5_000)
  await at.reported(2)
  expect((await at.deliveryOf(id))?.status).toBe('delivered')
})

it('reads no more than a little of a reply, and shows nothing of it', async () => {
  let written = 0
  await using receiver = await startCallbackReceiver((response) => {
    const chunk = Buffer.alloc(65_536, 'secret reply ')
    const pour = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length
    }
    response.writeHead(200).on('drain', pour)
    pour()
  })
  await using at = await openCallbackSender({ to: [receiver] })
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  await receiver.waitFor(() => receiver.running === 0)
  // What lies in the buffers of two sockets.
  expect(written).toBeLessThan(16 * 1_024 * 1_024)
  const delivery = await at.deliveryOf(id)
  expect(delivery?.status).toBe('delivered')
  expect(JSON.stringify([delivery, at.lines])).not.toContain('secret reply')
})

it('says why a receiver could not be reached', async () => {
  const receiver = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [receiver] })
  await receiver[Symbol.asyncDispose]()
  const id = await at.end(`${receiver.url}/done`)
  await at.reported(1)
  expect((await at.deliveryOf(id))?.attempts).toMatchObject([
    { error: 'connection', details: 'The connection failed (ECONNREFUSED).' },
  ])
})

it('gives up after ten attempts, and sends again when somebody asks', async () => {
  await using receiver = await startCallbackReceiver(...Array<number>(10).fill(500), 204)
  await using at = await openCallbackSender({ to: [receiver] })
  const id = await at.end(`${receiver.url}/done`)
  for (let number = 1; number <= 10; number++) {
    await at.reported(number)
    await at.clock.advance((await at.store.callbacks.nextDueInMs()) ?? 0)
  }
  expect(await at.deliveryOf(id)).toMatchObject({ status: 'dead', tries: 10 })
  expect(at.reports.map(({ result }) => result)).toEqual([...Array(9).fill('failed'), 'dead'])
  await at.store.callbacks.resend(id)
  await at.reported(11)
  const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']))
  expect(ids.size).toBe(1)
  expect(await at.deliveryOf(id)).toMatchObject({ status: 'delivered', tries: 1 })
})

it('sends only a few at a time to one host, and lets others pass', async () => {
  const held: (() => void)[] = []
  await using slow = await startCallbackReceiver((response) => held.push(() => response.end()))
  await using quick = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [slow, quick], sender: { concurrencyPerHost: 2 } })
  await at.end(`${slow.url}/done`)
  await slow.waitFor(() => slow.running === 1)
  await at.cancelMany(5, `${slow.url}/done`)
  await slow.waitFor(() => slow.running === 2)
  await at.end(`${quick.url}/done`)
  await at.reported(1)
  expect(quick.received).toHaveLength(1)
  for (let number = 1; number <= 6; number++) {
    await slow.waitFor(() => held.length > 0)
    held.shift()?.()
    await at.reported(1 + number)
  }
  expect(slow.mostRunning).toBe(2)
})

it('shares the work with another sender, each callback once', async () => {
  await using receiver = await startCallbackReceiver(200)
  await using at = await openCallbackSender({ to: [receiver] })
  await using other = createCallbackSender(at.options)
  other.start()
  await at.cancelMany(20, `${receiver.url}/done`)
  await at.reported(20)
  expect(receiver.received).toHaveLength(20)
  expect(receiver.received.map(({ body }) => JSON.parse(body).type)).toEqual(
    Array(20).fill('ticket.cancelled'),
  )
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(20)
})

it('does not send again what the store could not write down at once', async () => {
  await using receiver = await startCallbackReceiver(200)
  let fails = true
  const failing = Promise.withResolvers<void>()
  await using at = await openCallbackSender({
    to: [receiver],
    wrap: (store): TicketStore => ({
      ...store,
      callbacks: {
        ...store.callbacks,
        async record(...given) {
          failing.resolve()
          if (fails) throw new StoreUnavailable('full', 'The disk is full.')
          return await store.callbacks.record(...given)
        },
      },
    }),
  })
  const id = await at.end(`${receiver.url}/done`)
  await failing.promise
  fails = false
  await at.clock.advance(1_000)
  await at.reported(1)
  expect(receiver.received).toHaveLength(1)
  expect((await at.deliveryOf(id))?.status).toBe('delivered')
})

it('lets what is being sent end while it closes, and cuts off what takes longer', async () => {
  const held: (() => void)[] = []
  await using receiver = await startCallbackReceiver((response) => held.push(() => response.end()))
  await using at = await openCallbackSender({ to: [receiver] })
  const first = await at.end(`${receiver.url}/done`)
  const second = await at.end(`${receiver.url}/done`)
  await receiver.waitFor(() => held.length === 2)
  const closing = at.sender.close({ drainMs: 1_000 })
  held[0]?.()
  await at.reported(1)
  await at.clock.advance(1_000)
  await closing
  await receiver.waitFor(() => receiver.running === 0)
  const deliveries = [await at.deliveryOf(first), await at.deliveryOf(second)]
  expect(deliveries.map((one) => one?.status).toSorted()).toEqual(['delivered', 'pending'])
  expect(deliveries.find((one) => one?.status === 'pending')).toMatchObject({ attempts: [], token: 1 })
  expect(at.lines.join('\n')).not.toContain('bug')
})

it('logs neither the address nor its secrets', async () => {
  await using receiver = await startCallbackReceiver(500, 200)
  await using at = await openCallbackSender({ to: [receiver] })
  await at.end(`${receiver.url}/s3cret/path?token=s3cret`)
  await at.reported(1)
  await at.clock.advance(5_000)
  await at.reported(2)
  expect(at.lines).toHaveLength(2)
  expect(at.lines.join('\n')).not.toContain('s3cret')
})

it('goes on when the observer throws', async () => {
  await using receiver = await startCallbackReceiver(200)
  const seen = Promise.withResolvers<void>()
  const observer = {
    attemptEnded() {
      seen.resolve()
      throw new Error('no')
    },
  }
  await using at = await openCallbackSender({ to: [receiver], sender: { observer } })
  const id = await at.end(`${receiver.url}/done`)
  await seen.promise
  expect((await at.deliveryOf(id))?.status).toBe('delivered')
  expect(at.lines.join('\n')).toContain('observer')
})

it.each([
  [{ secrets: [] }, 'secrets'],
  [{ secrets: ['whsec_'] }, 'whsec_'],
  [{ timeoutMs: 0 }, 'timeoutMs'],
  [{ concurrencyPerHost: 1.5 }, 'concurrencyPerHost'],
  [{ leaseMs: 15_000 }, 'leaseMs'],
])('refuses %j', async (sender, message) => {
  await expect(openCallbackSender({ to: [], sender })).rejects.toThrow(message)
})
