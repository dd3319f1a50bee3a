import { expect, it } from 'vitest'
import { openTicketServer } from './open-ticket-server.ts'

it('GET /tickets?view=row lists without events and outcomes', async () => {
  await using server = await openTicketServer({ simulated: { answer: () => 'Because of the light.' } })
  const { body: taken } = await server.post('/tickets', { content: 'Why is the sky blue?', priority: 4 })
  await server.get(`/tickets/${taken.id}?wait=30s`)
  const { status, headers, body } = await server.get('/tickets?view=row&status=completed')
  expect(status).toBe(200)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    object: 'list',
    data: [
      {
        id: taken.id,
        event_id: taken.event_id,
        kind: 'ticket',
        status: 'completed',
        created_at: taken.created_at,
        seq: expect.any(Number),
        started_at: expect.any(String),
        finished_at: expect.any(String),
        priority: 4,
        door: 'tickets',
        runs: 1,
        attempts: 1,
        backend: 'b1',
        model: expect.any(String),
        waited_ms: expect.any(Number),
        duration_ms: expect.any(Number),
        usage: expect.objectContaining({ prompt_tokens: expect.any(Number) }),
        wasted_ms: 0,
        prompt: 'Why is the sky blue?',
        answer: 'Because of the light.',
        kept: true,
      },
    ],
  })
  expect((await server.get('/tickets?view=full')).body.data[0]).toHaveProperty('event.content')
})

it('refuses a view, a callback and a waste that it does not know', async () => {
  await using server = await openTicketServer()
  for (const query of ['view=table', 'callback=lost', 'wasted=false']) {
    const { status, body } = await server.get(`/tickets?${query}`)
    expect([query, status, body.error]).toEqual([query, 400, 'invalid_input_format'])
  }
  expect((await server.get('/tickets?view=row&callback=dead&wasted=true')).body.data).toEqual([])
})
