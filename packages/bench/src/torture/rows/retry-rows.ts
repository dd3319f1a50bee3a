import type { OpenAICall, ScriptedReply } from '@ai-ticket/testkit'
import { chat, holdsMark } from './chat.ts'
import { type Finding, notApplicable, passIf, type Row, type Subject } from './finding.ts'
import { mostWithin } from './most-within.ts'
import { readReply } from './read-reply.ts'

const BUSY_MS = 8000
const RETRY_AFTER_S = 3
const CALLERS = 8
/** Timers and sockets are no more exact than this. */
const EARLY_MS = 50
const AT_ONCE_MS = 100
/** Chance puts half of eight pauses between 0 and 0.5 s into one such window now and then, but not seven. */
const ALIKE_LIMIT = 0.8

const problem = (status: number, message: string, headers: Record<string, string> = {}): ScriptedReply => ({
  status,
  headers,
  body: { error: { message, type: 'server_error', param: null, code: null } },
})

async function busy({ gateway, range }: Subject): Promise<Finding> {
  const startedAt = performance.now()
  range.openai.script(() =>
    performance.now() - startedAt < BUSY_MS ? problem(503, 'Loading model') : undefined,
  )
  const before = range.openai.calls.length
  const reply = readReply(await chat(gateway, { backend: 'openai', mark: 'busy' }))
  const tookS = ((performance.now() - startedAt) / 1000).toFixed(1)
  const calls = range.openai.calls.length - before
  const end = reply.as === 'answer' ? 'answered' : reply.as === 'error' ? reply.what : 'cut'
  return passIf(
    reply.as === 'answer',
    `busy for ${BUSY_MS / 1000} s: ${end} after ${tookS} s and ${calls} calls`,
  )
}

async function retryAfter({ gateway, range }: Subject): Promise<Finding> {
  const at: number[] = []
  range.openai.script(() => {
    at.push(performance.now())
    return at.length === 1
      ? problem(429, 'Too many requests', { 'retry-after': String(RETRY_AFTER_S) })
      : undefined
  })
  const chatted = await chat(gateway, { backend: 'openai', mark: 'retry-after' })
  const [first = 0, second] = at
  if (second === undefined) {
    const handedOn = chatted.headers['retry-after'] !== undefined
    const how = handedOn ? 'with its Retry-After' : 'without its Retry-After'
    return passIf(handedOn, `not repeated; the caller got status ${chatted.status} ${how}`)
  }
  const pauseMs = second - first
  const isLate = pauseMs >= RETRY_AFTER_S * 1000 - EARLY_MS
  return passIf(isLate, `Retry-After: ${RETRY_AFTER_S}; repeated after ${(pauseMs / 1000).toFixed(2)} s`)
}

async function jitter({ gateway, range }: Subject): Promise<Finding> {
  const marks = Array.from({ length: CALLERS }, (_, caller) => `jitter-${caller}-`)
  const at = new Map<string, number[]>()
  range.openai.script((call) => {
    const mark = markOf(call, marks)
    const times = at.get(mark) ?? []
    at.set(mark, [...times, performance.now()])
    return times.length === 0 ? problem(500, 'CUDA error') : undefined
  })
  await Promise.all(marks.map((mark) => chat(gateway, { backend: 'openai', mark, maxTokens: 1 })))
  const pauses = [...at.values()].flatMap(([first, second]) =>
    first === undefined || second === undefined ? [] : [second - first],
  )
  if (pauses.length < CALLERS / 2)
    return notApplicable(`${pauses.length} of ${CALLERS} failures were repeated`)
  const most = mostWithin(pauses, AT_ONCE_MS)
  const shortestToLongest = `${seconds(Math.min(...pauses))} to ${seconds(Math.max(...pauses))}`
  const seen = `pauses of ${shortestToLongest} s, at most ${most} of ${pauses.length} alike (within ${AT_ONCE_MS} ms)`
  return passIf(most <= ALIKE_LIMIT * pauses.length, seen)
}

const seconds = (ms: number) => (ms / 1000).toFixed(2)

const markOf = ({ body }: OpenAICall, marks: readonly string[]): string =>
  marks.find((mark) => holdsMark(body, mark)) ?? ''

export const RETRY_ROWS: readonly Row[] = [
  { name: 'repeats of eight callers are spread', backend: 'openai', run: jitter },
  { name: 'Retry-After is honoured', backend: 'openai', run: retryAfter },
  { name: 'a busy server (503) is waited for', backend: 'openai', run: busy },
]
