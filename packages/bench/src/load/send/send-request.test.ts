import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { expect, test } from 'vitest'
import type { Kind, PlannedRequest } from '../plan/plan-load.ts'
import { sendRequest } from './send-request.ts'

const planned = (kind: Kind, more: Partial<PlannedRequest> = {}): PlannedRequest => ({
  number: 1,
  atMs: 0,
  kind,
  maxTokens: 4,
  promptWords: 3,
  hangUpAfterMs: 20,
  variant: 0.5,
  ...more,
})

/** For a server that will never say more: only there may time decide. */
const SOON_MS = 300

/** Sends one request to a server that does what it should not. */
async function endingAt(request: PlannedRequest, listener: RequestListener, patienceMs = 20_000) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const dispatcher = new Agent()
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return await sendRequest({ dispatcher, url, run: '1', patienceMs }, request)
  } finally {
    await dispatcher.destroy()
    server.closeAllConnections()
    server.close()
  }
}

const json =
  (status: number, body: object): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

test('an answer counts by its code, a bug of the server and an empty answer are wrong', async () => {
  expect(await endingAt(planned('short'), json(200, { completion: 'Yes.' }))).toMatchObject({
    as: 'answered',
    code: 'completed',
  })
  const busy = await endingAt(planned('short'), json(503, { error: 'capacity_exceeded' }))
  expect(busy).toMatchObject({ as: 'answered', status: 503, code: 'capacity_exceeded' })
  expect(busy).not.toHaveProperty('wrong')
  const bug = await endingAt(planned('short'), json(500, { error: 'internal_error' }))
  expect(bug).toHaveProperty('wrong')
  expect(await endingAt(planned('short'), json(200, { completion: '' }))).toHaveProperty('wrong')
})

test('no answer, a cut connection and something that is no JSON are lost', async () => {
  const silent: RequestListener = () => {}
  expect(await endingAt(planned('short'), silent, SOON_MS)).toMatchObject({
    as: 'lost',
    why: /Timeout/,
  })
  const cut: RequestListener = ({ socket }) => socket.destroy()
  expect(await endingAt(planned('short'), cut)).toMatchObject({ as: 'lost' })
  const page: RequestListener = (_request, response) => response.end('<html>')
  expect(await endingAt(planned('short'), page)).toMatchObject({ as: 'lost' })
})

test('a caller that hangs up has no answer and has lost none', async () => {
  expect(await endingAt(planned('hang_up'), () => {})).toEqual({ as: 'hung_up' })
})

test('bad input that is taken is wrong', async () => {
  expect(await endingAt(planned('bad_input'), json(200, { completion: 'Yes.' }))).toHaveProperty('wrong')
})

const stream =
  (text: string): RequestListener =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)

test('a stream has one ending, else it is lost', async () => {
  const done = 'event: done\ndata: {"completion":"Yes."}\n\n'
  expect(await endingAt(planned('stream'), stream(done))).toMatchObject({ as: 'answered', code: 'completed' })
  expect(await endingAt(planned('stream'), stream('event: delta\ndata: {"text":"Y"}\n\n'))).toMatchObject({
    as: 'lost',
  })
  expect(await endingAt(planned('stream'), stream(done + done))).toMatchObject({ as: 'lost' })
})

/** Accepts, and then answers each look with the next of these. */
function ticketServer(
  looks: readonly [number, object][],
  ids: readonly string[] = ['tkt_1'],
): RequestListener {
  let accepted = 0
  let looked = 0
  return (request, response) => {
    const accept = () => json(202, { id: ids[accepted++ % ids.length] })
    const look = () => json(...(looks[Math.min(looked++, looks.length - 1)] ?? [404, {}]))
    const answer = request.method === 'GET' ? look() : accept()
    answer(request, response)
  }
}

const finished = { id: 'tkt_1', finished_at: '2026-11-22T00:00:00Z', outcome: { completion: 'Yes.' } }

test('a ticket is followed to its outcome', async () => {
  const answer = await endingAt(
    planned('ticket'),
    ticketServer([
      [200, { id: 'tkt_1' }],
      [200, finished],
    ]),
  )
  expect(answer).toMatchObject({ as: 'answered', code: 'ticket completed', ticketId: 'tkt_1' })
})

test.each<[string, [number, object][], number?]>([
  [
    'is gone',
    [
      [200, {}],
      [404, { error: 'not_found' }],
    ],
  ],
  ['never ends', [[200, {}]], SOON_MS],
  ['has no outcome', [[200, { ...finished, outcome: undefined }]]],
  [
    'changes after its end',
    [
      [200, finished],
      [200, { ...finished, outcome: { error: 'cancelled' } }],
    ],
  ],
])('an accepted ticket that %s is lost', async (_what, looks, patienceMs) => {
  expect(await endingAt(planned('ticket'), ticketServer(looks), patienceMs)).toMatchObject({ as: 'lost' })
})

test('two tickets for one key are one too many', async () => {
  const twice = planned('ticket', { variant: 0.1 })
  const server = ticketServer([[200, finished]], ['tkt_1', 'tkt_2'])
  expect(await endingAt(twice, server)).toMatchObject({ as: 'lost' })
})
