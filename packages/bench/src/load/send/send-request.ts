import { BAD_REQUESTS } from '../plan/bad-requests.ts'
import { eventBody } from '../plan/event-body.ts'
import type { PlannedRequest } from '../plan/plan-load.ts'
import { ask, codeOf, type Line, type Reply } from './ask.ts'
import type { Ending } from './ending.ts'
import { readStreamEnd } from './read-stream-end.ts'
import { sendTicket } from './send-ticket.ts'

const HUNG_UP = new Error('hung up')

/** Sends it and waits for its end. Never rejects: whatever goes wrong is `lost`. */
export async function sendRequest(line: Line, planned: PlannedRequest): Promise<Ending> {
  const { kind, hangUpAfterMs } = planned
  const hangsUp = kind === 'hang_up' || kind === 'hang_up_stream'
  const controller = new AbortController()
  const timer = hangsUp ? setTimeout(() => controller.abort(HUNG_UP), hangUpAfterMs) : undefined
  const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(line.patienceMs)])
  try {
    if (kind === 'ticket') return await sendTicket(line, planned, signal)
    if (kind === 'bad_input') return await sendBad(line, planned, signal)
    if (kind === 'stream' || kind === 'hang_up_stream') return await sendStream(line, planned, signal)
    return await sendWhole(line, planned, signal)
  } catch (error) {
    if (controller.signal.aborted) return { as: 'hung_up' }
    return { as: 'lost', why: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

async function sendWhole(line: Line, planned: PlannedRequest, signal: AbortSignal): Promise<Ending> {
  const startedAt = performance.now()
  const reply = await ask(line, { path: '/event', body: eventBody(planned), signal })
  const wholeMs = performance.now() - startedAt
  const code = codeOf(reply)
  const isEmpty = code === 'completed' && !reply.body.completion
  return {
    as: 'answered',
    status: reply.status,
    code,
    wholeMs,
    ...(isEmpty && { wrong: 'an answer without text' }),
    ...wrongFailure(code),
  }
}

async function sendBad(line: Line, { variant }: PlannedRequest, signal: AbortSignal): Promise<Ending> {
  const bad = BAD_REQUESTS[Math.floor(variant * BAD_REQUESTS.length)]
  if (bad === undefined) throw new RangeError(`no bad request for ${variant}`)
  const headers = { 'content-type': bad.contentType ?? 'application/json' }
  const reply = await ask(line, { path: '/event', body: bad.body, headers, signal })
  const isWrong = reply.status !== bad.status
  return {
    as: 'answered',
    status: reply.status,
    code: codeOf(reply),
    ...(isWrong && { wrong: `${bad.name} got status ${reply.status} instead of ${bad.status}` }),
  }
}

async function sendStream(
  { dispatcher, url }: Line,
  planned: PlannedRequest,
  signal: AbortSignal,
): Promise<Ending> {
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' }
  const body = eventBody(planned)
  const reply = await dispatcher.request({
    origin: url,
    path: '/event',
    method: 'POST',
    headers,
    body,
    signal,
  })
  if (!/event-stream/.test(String(reply.headers['content-type']))) {
    const code = codeOf({ status: reply.statusCode, body: (await reply.body.json()) as Reply['body'] })
    return { as: 'answered', status: reply.statusCode, code, ...wrongFailure(code) }
  }
  const ends = readStreamEnd(await readToBreak(reply.body, signal))
  if (ends.length !== 1) return { as: 'lost', why: `a stream with ${ends.length} endings` }
  const code = ends[0] ?? ''
  return { as: 'answered', status: reply.statusCode, code, ...wrongFailure(code) }
}

/** Behind a failure the connection breaks; what was said before counts. */
async function readToBreak(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of body) chunks.push(chunk)
  } catch (error) {
    if (signal.aborted || chunks.length === 0) throw error
  }
  return Buffer.concat(chunks).toString('utf8')
}

const wrongFailure = (code: string) => (code === 'internal_error' ? { wrong: 'a bug of the server' } : {})
