import { expect, it } from 'vitest'
import { openTicketServer } from './open-ticket-server.ts'

it('GET /callbacks lists what was sent for all tickets, by status and page by page', async () => {
  await using server = await openTicketServer()
  const later = { notBefore: Date.now() + 3_600_000, callbackUrl: 'https://hooks.example.com/x?secret=1' }
  const ids: string[] = []
  for (let number = 0; number < 3; number++) {
    const { id } = await server.accept({}, later)
    await server.store.cancel(id)
    ids.unshift(id)
  }
  await server.accept({}, later)
  const claimed = await server.store.callbacks.claim({ limit: 1, leaseMs: 60_000 })
  for (const { delivery } of claimed) {
    await server.store.callbacks.record(
      delivery,
      { at: 0, durationMs: 1, status: 500, error: 'refused', details: 'no' },
      { status: 'dead' },
    )
  }
  const { status, headers, body } = await server.get('/callbacks?limit=2')
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(body.data).toHaveLength(2)
  const rest = await server.get(`/callbacks?limit=2&cursor=${body.next_cursor}`)
  const all = [...body.data, ...rest.body.data]
  expect(new Set(all.map(({ ticket_id }: { ticket_id: string }) => ticket_id))).toEqual(new Set(ids))
  expect((await server.get('/callbacks?status=dead')).body.data).toMatchObject([
    {
      ticket_id: claimed[0]?.ticket.id,
      status: 'dead',
      url: 'https://hooks.example.com/x?***',
      attempts: [{ status: 500 }],
    },
  ])
  expect((await server.get('/callbacks?status=pending')).body.data).toHaveLength(2)
  expect((await server.get('/callbacks?status=waiting')).status).toBe(400)
  expect((await server.get('/callbacks?backend=b1')).status).toBe(400)
})
