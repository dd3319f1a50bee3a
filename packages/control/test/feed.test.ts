import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { expect, test, vi } from 'vitest'
import { openControl } from './open-control.ts'

type Desk = Awaited<ReturnType<typeof openControl>>
interface Told {
  readonly id: string
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into what came
  readonly data: any
}

/** Reads the feed over a socket of its own. */
async function read(desk: Desk, query = '', headers: Record<string, string> = {}) {
  const sent = desk.send('GET', `/feed${query}`, { headers })
  sent.on('error', () => {})
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const told: Told[] = []
  let rest = ''
  response.setEncoding('utf8').on('data', (text: string) => {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      if (block.startsWith('id:'))
        told.push({ id: field('id'), event: field('event'), data: JSON.parse(field('data')) })
    }
  })
  return {
    told,
    response,
    of: (event: string) => told.filter((one) => one.event === event).map(({ data }) => data),
    lastId: () => told.at(-1)?.id ?? '',
    leave: async () => {
      sent.destroy()
      await once(response, 'close').catch(() => {})
    },
  }
}

const QUICK = { tokensPerSecond: Number.POSITIVE_INFINITY }

test('says hello, shows desk and line, and tells of each ticket as it changes', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const reader = await read(desk)
  await expect.poll(() => reader.told.length).toBeGreaterThanOrEqual(3)
  expect(reader.told.map(({ event }) => event).slice(0, 3)).toEqual(['hello', 'desk', 'line'])
  expect(reader.of('hello')).toMatchObject([{ worker: 'desk-1', version: '1.2.3', resumed: false }])
  expect(reader.of('desk')[0]).toMatchObject({
    backends: [{ name: 'b1' }],
    tickets: { queued: 0 },
    store: { status: 'available' },
    callbacks: { pending: 0, dead: 0 },
  })
  const { body } = await desk.ask('POST', '/tickets', { body: { content: 'Why?' } })
  await expect
    .poll(() => reader.of('ticket').at(-1))
    .toMatchObject({ id: body.id, status: 'completed', prompt: 'Why?' })
  await expect.poll(() => reader.of('desk').at(-1)).toMatchObject({ tickets: { completed: 1 } })
  await reader.leave()
})

test('tells how many callbacks were given up, and counts nothing while nobody watches the desk', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const count = vi.spyOn(desk.store.callbacks, 'dead')
  const other = await read(desk, '?only=ticket')
  const { id } = await desk.accept({}, { callbackUrl: 'https://hooks.example.com/done' })
  await expect.poll(() => other.of('ticket').at(-1)).toMatchObject({ id, status: 'completed' })
  const [claimed] = await desk.store.callbacks.claim({ limit: 1, leaseMs: 1_000 })
  if (claimed === undefined) throw new Error('There is no callback.')
  const { ticketId, token } = claimed.delivery
  const attempt = { at: 1, durationMs: 1, status: 500, error: 'refused' } as const
  await desk.store.callbacks.record({ ticketId, token }, attempt, { status: 'dead' })
  expect(count).not.toHaveBeenCalled()
  const reader = await read(desk, '?only=desk')
  await expect.poll(() => reader.of('desk').at(-1)).toMatchObject({ callbacks: { pending: 0, dead: 1 } })
  await reader.leave()
  await other.leave()
})

test('shows only what is asked for, and tickets only if they pass', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const reader = await read(desk, '?only=ticket&metadata.team=sales&status=completed')
  await desk.ask('POST', '/tickets', { body: { content: 'Other' } })
  await desk.ask('POST', '/tickets', { body: { content: 'Ours', metadata: { team: 'sales' } } })
  await expect.poll(() => reader.of('ticket').length).toBeGreaterThan(0)
  for (const row of reader.of('ticket')) expect(row).toMatchObject({ prompt: 'Ours', status: 'completed' })
  expect(new Set(reader.told.map(({ event }) => event))).toEqual(new Set(['hello', 'ticket']))
  await reader.leave()
  expect((await desk.ask('GET', '/feed?only=weather')).body.error).toBe('invalid_input_format')
  expect((await desk.ask('GET', '/feed?colour=red')).body.error).toBe('invalid_input_format')
})

test('a reader who comes back gets what it missed; one of another time is told of a gap', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const first = await read(desk, '?only=ticket')
  await desk.ask('POST', '/tickets', { body: { content: 'Before' } })
  await expect.poll(() => first.of('ticket').at(-1)).toMatchObject({ status: 'completed' })
  const lastId = first.lastId()
  await first.leave()
  const { body } = await desk.ask('POST', '/tickets', { body: { content: 'Meanwhile' } })
  await desk.until(body.id, ({ state }) => state.status === 'completed')
  const second = await read(desk, '?only=ticket', { 'last-event-id': lastId })
  await expect.poll(() => second.of('ticket').at(-1)).toMatchObject({ status: 'completed' })
  expect(second.of('hello')).toMatchObject([{ resumed: true }])
  expect(new Set(second.of('ticket').map(({ prompt }) => prompt))).toEqual(new Set(['Meanwhile']))
  expect(second.of('gap')).toEqual([])
  await second.leave()
  const third = await read(desk, '?only=ticket', { 'last-event-id': 'other-7' })
  await expect.poll(() => third.told.length).toBe(2)
  expect(third.told.map(({ event }) => event)).toEqual(['hello', 'gap'])
  expect(third.of('hello')).toMatchObject([{ resumed: false }])
  await third.leave()
})

test('many changes at once are counted, not shown one by one', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const reader = await read(desk, '?only=ticket')
  await expect.poll(() => reader.told.length).toBe(1)
  for (let number = 0; number < 60; number++)
    await desk.accept({ content: 'x' }, { notBefore: Date.now() + 3_600_000 })
  const count = () => reader.of('ticket').length + reader.of('more').reduce((sum, one) => sum + one.count, 0)
  await expect.poll(count).toBeGreaterThanOrEqual(60)
  expect(reader.of('more').length).toBeGreaterThan(0)
  await reader.leave()
})

test('closing the server ends the feed', async () => {
  await using desk = await openControl()
  const reader = await read(desk)
  await expect.poll(() => reader.told.length).toBeGreaterThan(0)
  const ended = once(reader.response, 'end')
  await desk.server.close()
  await ended
})

test('a reader who cannot be shown anything is let go, not left with an open connection', async () => {
  await using desk = await openControl({ simulated: QUICK })
  const stats = vi.spyOn(desk.store, 'stats').mockRejectedValue(new TypeError('A bug.'))
  const reader = await read(desk)
  await expect(once(reader.response, 'close')).rejects.toThrow('aborted')
  stats.mockRestore()
  const next = await read(desk)
  await expect.poll(() => next.told.map(({ event }) => event)).toContain('desk')
  await next.leave()
})
