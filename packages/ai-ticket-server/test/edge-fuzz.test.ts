import { withoutUnknownFields } from '@ai-ticket/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkResponse } from '../../server/test/openapi-judge.ts'
import { hostileBytes } from './edge-fuzz/hostile-bytes.ts'
import { hostileEventText } from './edge-fuzz/hostile-events.ts'
import { bytesOf, type HostileRequest, hostileRequest, inPieces } from './edge-fuzz/hostile-requests.ts'
import { judgeAnswer } from './edge-fuzz/judge-answer.ts'
import { type FuzzedServer, openFuzzedServer } from './edge-fuzz/open-fuzzed-server.ts'
import { sendPieces } from './edge-fuzz/raw-answers.ts'

// Whatever comes in is answered in our shapes, and the server is well afterwards. AI_TICKET_SEED repeats a run: the seed
// stands in the message of a failure.
const IS_LONG = process.env.AI_TICKET_LONG === '1'
const REQUESTS = IS_LONG ? 17_000 : 200
const TICKETS = IS_LONG ? 1_000 : 40
const BYTES = IS_LONG ? 4_000 : 60
// CI asks the same every time: what fails there is the fault of the change. Elsewhere each run asks something else.
const { CI, AI_TICKET_SEED = CI && '20261123' } = process.env
const seed = AI_TICKET_SEED ? { seed: Number(AI_TICKET_SEED) } : {}

let server: FuzzedServer
const ids: string[] = ['tkt_none']
const statuses = new Set<number>()

beforeAll(async () => {
  server = await openFuzzedServer()
  for (const body of ['{"content":"Why?"}', '{"content":"Later","not_before":"2099-01-01T00:00:00Z"}']) {
    ids.push(JSON.parse((await ask('POST', '/tickets', body)).body).id)
  }
})

afterAll(() => server[Symbol.asyncDispose]())

async function ask(method: string, path: string, body?: string) {
  const headers = body === undefined ? [] : ([['content-type', 'application/json']] as const)
  const bytes = bytesOf({ method, path, body, headers, isChunked: false })
  const { answers } = await sendPieces(server.port, [bytes], { patienceMs: 10_000, method })
  if (answers[0] === undefined) throw new Error(`${method} ${path} was not answered`)
  return answers[0]
}

/**
 * A ticket that is not finished is told of for as long as somebody listens. A CloudEvent is one, too: its source and id
 * are a key.
 */
const mayGoOn = ({ headers, path }: HostileRequest) =>
  /[?&]wait=/.test(path) ||
  headers.some(([name, value]) => {
    return /^idempotency-key$|^ce-/.test(name) || /event-stream|wait|cloudevents/.test(value)
  })

/** A tunnel has no path, and the judge cannot point at a name that is no Unicode. */
const HALF_PAIR = /\\ud[89a-f]/i

/** A proxy asks with the whole address, and a path may be written in percent signs. */
function pathOf(path: string): string {
  const [own = '', ...query] = path.replace(/^http:\/\/[^/]*/, '').split('?')
  const plain = own.replaceAll(/%(?:2[DE]|[3-7][\dA-F])/gi, (code) => {
    const character = decodeURIComponent(code)
    return /[\w.~-]/.test(character) ? character : code
  })
  return [plain, ...query].join('?')
}

/** As the server sees the path. */
const dialectOf = (path: string): string | undefined =>
  server.dialectOf(
    pathOf(path)
      .replace(/\?.*$/s, '')
      .replace(/\/{2,}/g, '/'),
  )

async function isAnswered(request: HostileRequest): Promise<void> {
  const { method, path, hangsUp } = request
  const goesOn = mayGoOn(request)
  const { answers, end } = await sendPieces(server.port, inPieces(bytesOf(request), request.pieces), {
    patienceMs: goesOn ? 100 : 10_000,
    hangsUp,
    method,
  })
  for (const answer of answers) {
    judgeAnswer(answer, method)
    if (method !== 'CONNECT' && !HALF_PAIR.test(answer.body))
      checkResponse({ ...answer, method, path: pathOf(path), dialect: dialectOf(path) })
  }
  statuses.add(answers[0]?.status ?? 0)
  if (answers.length === 0 && !hangsUp && !goesOn) throw new Error(`not answered, ${end}`)
  expect(server.errors).toEqual([])
}

/** Whatever came before. */
async function isWell(): Promise<void> {
  expect((await ask('GET', '/readyz')).status).toBe(200)
  const answer = await ask('POST', '/event', '{"content":"Are you well?"}')
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body).completion).not.toBe('')
  expect((await ask('GET', '/tickets?limit=200')).status).toBe(200)
  expect(Object.keys(Object.prototype)).toEqual([])
}

test(`${REQUESTS} requests that may ask for anything are answered in our shapes`, async () => {
  const requests = hostileRequest(fc.constantFrom(...ids))
  await fc.assert(fc.asyncProperty(requests, isAnswered), { numRuns: REQUESTS, ...seed })
  await isWell()
  // They were not all refused at the door.
  for (const status of [200, 202, 400, 404, 405, 415, 422]) expect(statuses).toContain(status)
})

test(`${TICKETS} tickets, whatever they hold, are kept as they were sent, but for large values that nobody reads, and found by the id of their event`, async () => {
  const kept = async (text: string) => {
    const accepted = await ask('POST', '/tickets', text)
    judgeAnswer(accepted)
    if (accepted.status !== 202) return
    const { id, event_id } = JSON.parse(accepted.body)
    const { not_before, expires_at, callback_url, ...sent } = JSON.parse(text)
    const shown = await ask('GET', `/tickets/${id}`)
    judgeAnswer(shown)
    expect(JSON.parse(shown.body).event).toEqual({ ...(withoutUnknownFields(sent) as object), id: event_id })
    const found = await ask('GET', `/tickets?event_id=${encodeURIComponent(event_id)}`)
    expect(JSON.parse(found.body).data.map((one: { id: string }) => one.id)).toContain(id)
  }
  await fc.assert(fc.asyncProperty(hostileEventText, kept), { numRuns: TICKETS, ...seed })
  await isWell()
})

test(`${BYTES} times bytes that are hardly HTTP are answered or refused`, async () => {
  const isBorne = async (text: string, pieces: number, hangsUp: boolean) => {
    const bytes = inPieces(Buffer.from(text, 'latin1'), pieces)
    const { answers } = await sendPieces(server.port, bytes, { answers: 9, patienceMs: 15, hangsUp })
    for (const answer of answers) judgeAnswer(answer)
    expect(server.errors).toEqual([])
  }
  await fc.assert(fc.asyncProperty(hostileBytes, fc.constantFrom(1, 1, 3), fc.boolean(), isBorne), {
    numRuns: BYTES,
    ...seed,
  })
  await isWell()
})

test('nothing is left of them', async () => {
  await expect.poll(() => server.connections()).toBe(0)
  const inFlight = () => server.dispatcher.report().backends.map(({ in_flight }) => in_flight)
  await expect.poll(inFlight).toEqual([0])
  expect(server.dispatcher.report().line.waiting).toBe(0)
})
