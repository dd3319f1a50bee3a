import { createDispatcher, createKoboldBackend, type Outcome } from '@ai-ticket/core'
import {
  createScaledClock,
  type KoboldFault,
  koboldFaultNames,
  startKoboldSimulator,
} from '@ai-ticket/testkit'
import { describe, expect, test } from 'vitest'
import { openServer, readToBreak } from './open-server.ts'

// Pauses of minutes pass in seconds; a loopback exchange of 1 ms counts as 30 ms, far below every pause that matters.
const FACTOR = 30
// The longest pause that full jitter can choose: 499 ms, then 999 ms.
const ALMOST_ONE = 0.9999
const PLAIN = [0] as const
const TWICE = [0, 499] as const
const THRICE = [0, 499, 999] as const
const EACH = [0, 0, 0] as const
const EACH_THRICE = [...THRICE, ...THRICE, ...THRICE] as const

/** What came out: the endpoint that answered, or code and status; the calls at the backend; the pause before each. */
type Expected = readonly [outcome: string, calls: number, waits: readonly number[]]

/** `then`: who answers where there is a second, healthy backend. */
type Row = readonly [
  fault: KoboldFault,
  whole: Expected,
  stream: Expected,
  then: 'first' | 'second' | 'nobody',
]

const both = (fault: KoboldFault, expected: Expected, then: Row[3]): Row => [fault, expected, expected, then]

const ROWS: readonly Row[] = [
  both({ fault: 'status', status: 500 }, ['api_server_error 502', 9, EACH_THRICE], 'second'),
  both({ fault: 'status', status: 500, endpoint: 'chat' }, ['text', 4, [...THRICE, 0]], 'first'),
  both({ fault: 'status', status: 500, times: 1 }, ['chat', 2, TWICE], 'first'),
  both({ fault: 'status', status: 429, retryAfter: '2', times: 1 }, ['chat', 2, [0, 2000]], 'first'),
  both({ fault: 'status', status: 429, times: 1 }, ['chat', 2, TWICE], 'first'),
  // A Retry-After beyond the time left is not waited for.
  both({ fault: 'status', status: 429, retryAfter: '600' }, ['api_rate_limited 503', 1, PLAIN], 'second'),
  both({ fault: 'busy', times: 1 }, ['chat', 2, TWICE], 'first'),
  // The only backend: after three calls back to the head of the line until it is seen idle.
  both({ fault: 'busy', times: 5 }, ['chat', 6, [...THRICE, ...THRICE]], 'second'),
  both({ fault: 'rate_limited', times: 1 }, ['chat', 2, [0, 4000]], 'first'),
  both({ fault: 'status', status: 401 }, ['api_authentication_error 502', 1, PLAIN], 'second'),
  both({ fault: 'status', status: 404, endpoint: 'chat' }, ['text', 2, [0, 0]], 'first'),
  both({ fault: 'status', status: 404 }, ['api_client_error 502', 3, EACH], 'second'),
  both({ fault: 'status', status: 400 }, ['api_client_error 502', 1, PLAIN], 'nobody'),
  both({ fault: 'status', status: 302 }, ['api_client_error 502', 1, PLAIN], 'nobody'),
  both({ fault: 'bad_input' }, ['api_client_error 502', 1, PLAIN], 'nobody'),
  both({ fault: 'context_length' }, ['context_length_exceeded 422', 1, PLAIN], 'nobody'),
  both({ fault: 'not_json' }, ['api_response_format_error 502', 3, EACH], 'second'),
  both({ fault: 'wrong_shape' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  both({ fault: 'empty_choices' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  both({ fault: 'null_reply' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  both({ fault: 'error_in_200' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  both({ fault: 'empty_text' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  both({ fault: 'no_model' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  [{ fault: 'huge_line' }, ['chat', 1, PLAIN], ['api_response_structure_error 502', 3, EACH], 'first'],
  both({ fault: 'empty_reply' }, ['api_connection_error 503', 3, THRICE], 'second'),
  both({ fault: 'empty_reply', times: 1 }, ['chat', 2, TWICE], 'second'),
  both({ fault: 'reset' }, ['api_connection_error 503', 3, THRICE], 'second'),
  both({ fault: 'refuse' }, ['api_connection_error 503', 0, THRICE], 'second'),
  both({ fault: 'reset_on_connect' }, ['api_connection_error 503', 0, THRICE], 'second'),
  both(
    { fault: 'hang_before_headers', busy: false },
    ['api_response_structure_error 502', 3, EACH],
    'second',
  ),
  // Busy is patience, up to the deadline.
  both({ fault: 'hang_before_headers', busy: true }, ['deadline_exceeded 504', 1, PLAIN], 'nobody'),
  both({ fault: 'hang_before_headers', endpoint: 'any' }, ['api_timeout 504', 1, PLAIN], 'second'),
  both({ fault: 'stream_head_then_nothing' }, ['api_response_structure_error 502', 3, EACH], 'second'),
  [
    { fault: 'hang_mid_stream' },
    ['deadline_exceeded 504', 1, PLAIN],
    ['api_timeout 504', 1, PLAIN],
    'nobody',
  ],
  [
    { fault: 'hang_mid_stream', busy: false },
    ['api_response_structure_error 502', 3, EACH],
    ['api_response_structure_error 502', 1, PLAIN],
    'second',
  ],
  [
    { fault: 'reset_mid_chunk' },
    ['api_connection_error 503', 3, THRICE],
    ['api_stream_interrupted 502', 1, PLAIN],
    'second',
  ],
  [
    { fault: 'cut_stream' },
    ['api_connection_error 503', 3, THRICE],
    ['api_stream_interrupted 502', 1, PLAIN],
    'second',
  ],
  // Nothing was handed on: the stream may be asked for again.
  [{ fault: 'cut_stream', afterTokens: 0, times: 1 }, ['chat', 2, TWICE], ['chat', 2, TWICE], 'second'],
  both({ fault: 'slow_drip', msPerToken: 1 }, ['chat', 1, PLAIN], 'first'),
  both({ fault: 'wrong_content_type' }, ['chat', 1, PLAIN], 'first'),
  both({ fault: 'prompt_cut', keepTokens: 2 }, ['chat', 1, PLAIN], 'first'),
]

interface How {
  stream?: boolean
  withSecond?: boolean
}

async function ask(fault: KoboldFault, { stream = false, withSecond = false }: How) {
  const clock = createScaledClock(FACTOR)
  const options = { tokensPerSecond: Number.POSITIVE_INFINITY, abortReplyMs: 1, hangUpNoticeMs: 1 }
  await using first = await startKoboldSimulator({ ...options, faults: [fault] })
  await using second = await startKoboldSimulator(options)
  const backend = (name: string, url: string) => createKoboldBackend({ url, clock, name })
  const backends = [backend('first', first.url), ...(withSecond ? [backend('second', second.url)] : [])]
  await using dispatcher = createDispatcher({ clock, random: () => ALMOST_ONE, backends })
  await using server = await openServer({ dispatcher })
  const response = await fetch(`${server.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: stream ? 'text/event-stream' : '*/*' },
    body: JSON.stringify({ content: 'Tell me a story.', timeout_ms: 90_000 }),
  })
  const reply = await read(response)
  // What a deadline cut off is stopped after the caller has its answer. A server that is wholly deaf cannot be.
  if (fault.endpoint !== 'any' && first.calls.some(({ state }) => state === 'running'))
    await first.waitFor(({ generating }) => !generating)
  return { ...reply, calls: first.calls.length, stillGenerating: first.generating }
}

async function read(response: Response): Promise<{ status: number; outcome: Outcome }> {
  const { text, isBroken } = await readToBreak(response)
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    return { status: response.status, outcome: JSON.parse(text) }
  }
  const last = text.trim().split('\n\n').at(-1) ?? ''
  const outcome = JSON.parse(last.slice(last.indexOf('data: ') + 6))
  const hasFailed = last.startsWith('event: error')
  expect(isBroken).toBe(hasFailed)
  return { status: hasFailed ? outcome.status : response.status, outcome }
}

const describeOutcome = (status: number, outcome: Outcome) =>
  outcome.error !== undefined ? `${outcome.error} ${status}` : outcome.endpoint

describe.concurrent.each(ROWS)('%j', (fault, whole, stream, then) => {
  test.concurrent.each([
    ['a whole answer', false, whole],
    ['a stream', true, stream],
  ])('%s', async (_name, isStream, [expected, calls, waits]) => {
    const { status, outcome, ...seen } = await ask(fault, { stream: isStream })
    expect(describeOutcome(status, outcome)).toBe(expected)
    expect(outcome.attempts.map(({ waited_ms }) => waited_ms)).toEqual(waits)
    // A failed stream breaks off a moment after its failure, in which the desk may give a deaf server up.
    const isDeaf = fault.endpoint === 'any'
    expect(seen).toEqual({ calls, stillGenerating: isDeaf && isStream ? expect.any(Boolean) : isDeaf })
  })

  test.concurrent('beside a healthy backend', async () => {
    const { outcome } = await ask(fault, { withSecond: true })
    expect(outcome.error !== undefined ? 'nobody' : outcome.backend).toBe(then)
  })
})

test('the table knows every fault of the simulator', () => {
  expect([...new Set(ROWS.map(([{ fault }]) => fault))].sort()).toEqual([...koboldFaultNames].sort())
})
