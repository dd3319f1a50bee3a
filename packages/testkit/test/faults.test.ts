import { once } from 'node:events'
import { connect } from 'node:net'
import {
  type KoboldFault,
  type KoboldFaultName,
  koboldFaultNames,
  startKoboldSimulator,
} from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { clientOf } from './kobold-client.ts'

const SILENCE = /^silence$/

/** What a plain `fetch` sees of a call: status and text, or the code of what went wrong. */
async function observe(call: Promise<{ status: number; text: string }>, expected: RegExp): Promise<string> {
  // Only a call that should stay silent is given up soon: a busy machine may take its time for the others.
  const patienceMs = expected === SILENCE ? 150 : 10_000
  const silence = new Promise<string>((resolve) => setTimeout(() => resolve('silence'), patienceMs))
  const seen = call.then(
    ({ status, text }) => `${status} ${text}`,
    (error: Error) => `failed: ${(error.cause as { code?: string } | undefined)?.code ?? error.message}`,
  )
  return Promise.race([seen, silence])
}

type Expected = readonly [fault: KoboldFault, plain: RegExp, stream: RegExp]

const table: Record<KoboldFaultName, Expected> = {
  status: [{ fault: 'status', status: 429, retryAfter: '7' }, /^429 .*simulated_failure/, /^429 /],
  busy: [{ fault: 'busy' }, /^503 .*service_unavailable/, /^503 /],
  rate_limited: [{ fault: 'rate_limited', seconds: 9 }, /^503 .*again in 9 seconds/, /^503 /],
  bad_input: [{ fault: 'bad_input' }, /^500 .*bad_input/, /^500 /],
  context_length: [{ fault: 'context_length' }, /^400 .*context_length_exceeded/, /^400 /],
  not_json: [{ fault: 'not_json' }, /^200 <html>/, /^200 data: <html>/],
  wrong_shape: [{ fault: 'wrong_shape' }, /^200 \{"answer"/, /^200 data: \{"answer"/],
  empty_choices: [{ fault: 'empty_choices' }, /^200 .*"choices": \[\]/, /^200 .*"choices": \[\]/],
  null_reply: [{ fault: 'null_reply' }, /^200 null$/, SILENCE],
  error_in_200: [{ fault: 'error_in_200' }, /^200 \{"error":/, /^200 data: \{"error":/],
  huge_line: [{ fault: 'huge_line', bytes: 2000 }, /^200 .*a{2000}/, /^200 data: .*a{2000}/],
  empty_text: [
    { fault: 'empty_text' },
    /^200 .*"completion_tokens": 0.*"content": ""/,
    /^200 .*"content": ""/,
  ],
  no_model: [{ fault: 'no_model' }, /^200 .*"model": "inactive".*"error"/, /^200 .*"finish_reason": "error"/],
  empty_reply: [{ fault: 'empty_reply' }, /^failed: UND_ERR_SOCKET/, /^failed: UND_ERR_SOCKET/],
  reset: [{ fault: 'reset' }, /^failed: ECONNRESET/, /^failed: ECONNRESET/],
  hang_before_headers: [{ fault: 'hang_before_headers' }, SILENCE, SILENCE],
  stream_head_then_nothing: [{ fault: 'stream_head_then_nothing' }, SILENCE, SILENCE],
  hang_mid_stream: [{ fault: 'hang_mid_stream' }, SILENCE, SILENCE],
  // A reset of an answer without a length is no error to undici: it takes what came for the whole.
  reset_mid_chunk: [{ fault: 'reset_mid_chunk' }, /^failed: /, /^200 .*"obj$/s],
  cut_stream: [{ fault: 'cut_stream' }, /^failed: /, /^200 (?!.*\[DONE\])(?!.*"stop")/s],
  slow_drip: [{ fault: 'slow_drip', msPerToken: 100 }, SILENCE, SILENCE],
  wrong_content_type: [{ fault: 'wrong_content_type' }, /^200 \{"id"/, /^200 data: /],
  prompt_cut: [{ fault: 'prompt_cut', keepTokens: 2 }, /^200 .*"prompt_tokens": 3/, /^200 data: /],
  refuse: [{ fault: 'refuse' }, /^failed: ECONNREFUSED/, /^failed: ECONNREFUSED/],
  reset_on_connect: [{ fault: 'reset_on_connect' }, /^failed: ECONNRESET/, /^failed: ECONNRESET/],
}

test.for(koboldFaultNames)('%s is seen by a plain client, plain and streamed', async (name) => {
  const [fault, plain, stream] = table[name]
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    concurrency: 3,
    faults: [fault],
  })
  const { chat } = clientOf(simulator)
  expect(await observe(chat(), plain)).toMatch(plain)
  expect(await observe(chat({ stream: true }), stream)).toMatch(stream)

  await simulator.setFaults([])
  const whole = /^200 .*"finish_reason": "stop"/
  expect(await observe(chat(), whole)).toMatch(whole)
})

test('times, skip and endpoint say which calls meet a fault', async () => {
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    faults: [{ fault: 'status', status: 500, endpoint: 'chat', skip: 1, times: 1 }],
  })
  const { chat, generate } = clientOf(simulator)
  const statuses = [await generate({}), await chat(), await chat(), await generate({}), await chat()]
  expect(statuses.map(({ status }) => status)).toEqual([200, 200, 500, 200, 200])
  expect(simulator.calls.map(({ fault }) => fault)).toEqual([
    undefined,
    undefined,
    'status',
    undefined,
    undefined,
  ])
})

test('Retry-After, body and content type of a status are as the script says', async () => {
  const faults = [
    { fault: 'status', status: 502, retryAfter: '3', body: 'bad gateway', contentType: 'text/plain' },
  ] as const
  await using simulator = await startKoboldSimulator({ faults })
  const { status, headers, text } = await clientOf(simulator).chat()
  expect([status, headers.get('retry-after'), headers.get('content-type'), text]).toEqual([
    502,
    '3',
    'text/plain',
    'bad gateway',
  ])
})

test('a hanging call that is busy holds the model until it is aborted', async () => {
  await using simulator = await startKoboldSimulator({
    abortReplyMs: 0,
    faults: [{ fault: 'hang_before_headers', times: 1 }],
  })
  const { generate, abort, perf } = clientOf(simulator)
  const answer = generate({ genkey: 'mine' })
  await simulator.waitForCall()
  expect(await perf()).toMatchObject({ idle: 0 })
  await abort('mine')
  expect(JSON.parse((await answer).text).results[0]).toMatchObject({ text: '', finish_reason: 'length' })
  expect(await perf()).toMatchObject({ idle: 1 })
})

test('a hanging call that is lost leaves the model free, and no abort finds it', async () => {
  await using simulator = await startKoboldSimulator({
    abortReplyMs: 0,
    faults: [{ fault: 'hang_before_headers', busy: false }],
  })
  const { generate, abort, perf } = clientOf(simulator)
  const leaving = new AbortController()
  const answer = generate({ genkey: 'mine' }, leaving.signal).catch(() => 'left')
  await simulator.waitForCall()
  expect(await perf()).toMatchObject({ idle: 1 })
  await abort('mine')
  expect(simulator.calls[0]?.state).toBe('running')
  leaving.abort()
  expect(await answer).toBe('left')
  await simulator.waitFor(
    ({ calls, openConnections }) => calls[0]?.state === 'dropped' && openConnections <= 1,
  )
})

test('a call that ignores the abort goes on holding the model', async () => {
  const faults = [{ fault: 'hang_mid_stream', ignoreAbort: true }] as const
  await using simulator = await startKoboldSimulator({ abortReplyMs: 0, faults })
  const { stream, abort, perf } = clientOf(simulator)
  const answer = stream({ genkey: 'mine' }).catch(() => 'cut')
  await simulator.waitFor(({ calls }) => calls[0]?.tokensGenerated === 3)
  expect(await abort('mine')).toEqual({ success: 'true', done: 'true' })
  expect(await perf()).toMatchObject({ idle: 0 })
  await simulator.kill()
  await answer
})

test('probes fall silent only when the script says so', async () => {
  await using simulator = await startKoboldSimulator({
    faults: [{ fault: 'hang_before_headers', endpoint: 'perf' }],
  })
  const { perf, abort } = clientOf(simulator)
  const silent = perf().then(
    () => 'answered',
    () => 'cut',
  )
  expect(await abort('nobody')).toEqual({ success: 'false', done: 'false' })
  await simulator.waitFor(({ requests }) => requests.some(({ path }) => path === '/api/extra/perf'))
  await simulator.close()
  expect(await silent).toBe('cut')
})

test('a reset in the middle of an event is a reset on the wire', async () => {
  await using simulator = await startKoboldSimulator({ faults: [{ fault: 'reset_mid_chunk' }] })
  const socket = connect(simulator.port, '127.0.0.1')
  socket.resume()
  socket.write('POST /api/extra/generate/stream HTTP/1.1\r\ncontent-length: 15\r\n\r\n{"prompt": "x"}')
  await expect(once(socket, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
})
