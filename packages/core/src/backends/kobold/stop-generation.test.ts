import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import type { AbortAnswer, PerfAnswer, SideAnswer, SideChannel } from './side-channel.ts'
import { type StopOptions, stopGeneration } from './stop-generation.ts'

const said = <Value>(value: Value) => ({ as: 'answered', value }) as const
const silent = { as: 'silent' } as const

/** A server whose answers are given; silence lasts until the question's own time limit. */
function startStop(
  answers: { abort: () => SideAnswer<AbortAnswer>; perf: () => SideAnswer<PerfAnswer> },
  open = true,
  more: Partial<NonNullable<StopOptions['call']>> = {},
) {
  const clock = createVirtualClock()
  const aborts: string[] = []
  const answer = <Value>(value: SideAnswer<Value>, timeoutMs: number): Promise<SideAnswer<Value>> =>
    new Promise((resolve) => {
      if (value.as === 'silent') clock.setTimer(() => resolve(value), timeoutMs)
      else resolve(value)
    })
  const side: SideChannel = {
    abort(key, { timeoutMs }) {
      aborts.push(`${key ?? 'any'} at ${clock.now()}`)
      return answer(answers.abort(), timeoutMs)
    },
    perf: ({ timeoutMs }) => answer(answers.perf(), timeoutMs),
  }
  const call = Promise.withResolvers<void>()
  const closing = new AbortController()
  const result: { stopped?: string; at?: number } = {}
  const limits = { key: 'job-1', intervalMs: 250, deadAfterMs: 15_000, closed: closing.signal }
  let hangUps = 0
  const openCall = { ended: call.promise, hangUp: () => hangUps++, hidesKey: false, ...more }
  stopGeneration({ clock, side, ...limits, ...(open && { call: openCall }) }).then((stopped) => {
    Object.assign(result, { stopped, at: clock.now() })
  })
  return {
    clock,
    aborts,
    result,
    hangUps: () => hangUps,
    endCall: call.resolve,
    breakCall: call.reject,
    close: () => closing.abort(),
  }
}

const perfOf =
  (state: PerfAnswer['state'], queue = 0) =>
  () =>
    said({ state, queue, lastEnd: undefined, lastTokens: undefined })
const busy = perfOf('busy')
const idle = perfOf('idle')

test('repeats the abort every 250 ms until the call has ended', async () => {
  const { clock, aborts, result, endCall } = startStop({ abort: () => said('not_found'), perf: busy })
  await clock.advance(700)
  expect(aborts).toEqual(['job-1 at 0', 'job-1 at 250', 'job-1 at 500'])
  expect(result).toEqual({})
  endCall()
  await clock.advance(0)
  expect(result).toEqual({ stopped: 'ended', at: 700 })
  await clock.advance(2000)
  expect(aborts).toHaveLength(3)
  expect(clock.pending).toBe(0)
})

test('a call that ends with an error has ended, too', async () => {
  const { clock, result, breakCall } = startStop({ abort: () => said('found'), perf: busy })
  breakCall(new Error('reset'))
  await clock.advance(0)
  expect(result.stopped).toBe('ended')
})

test('an open call may not have been read yet: idle counts when it is seen twice', async () => {
  const { clock, result } = startStop({ abort: () => said('not_found'), perf: idle })
  await clock.advance(249)
  expect(result).toEqual({})
  await clock.advance(1)
  expect(result).toEqual({ stopped: 'idle', at: 250 })
})

test('idle that is followed by work is not the end', async () => {
  const looks = [idle(), busy(), idle(), busy()]
  const { clock, result } = startStop({ abort: () => said('found'), perf: () => looks.shift() ?? busy() })
  await clock.advance(60_000)
  expect(result).toEqual({})
})

test('a server that goes on working is never given up', async () => {
  const { clock, result, aborts } = startStop({ abort: () => said('found'), perf: busy })
  await clock.advance(600_000)
  expect(result).toEqual({})
  expect(aborts).toHaveLength(2401)
})

test('a refused connection means gone, at once', async () => {
  const { clock, result } = startStop({ abort: () => ({ as: 'refused' }), perf: () => ({ as: 'refused' }) })
  await clock.advance(0)
  expect(result).toEqual({ stopped: 'gone', at: 0 })
})

test('abort and perf unanswered for 15 s mean dead', async () => {
  const { clock, result } = startStop({ abort: () => silent, perf: () => silent })
  await clock.advance(14_999)
  expect(result).toEqual({})
  await clock.advance(1)
  expect(result).toEqual({ stopped: 'dead', at: 15_000 })
})

test('one of the two that answers is a sign of life', async () => {
  const { clock, result } = startStop({ abort: () => silent, perf: busy })
  await clock.advance(60_000)
  expect(result).toEqual({})
})

test('after a broken connection idle counts at once', async () => {
  const { clock, result } = startStop({ abort: () => said('not_found'), perf: idle }, false)
  await clock.advance(0)
  expect(result).toEqual({ stopped: 'idle', at: 0 })
})

test('after a broken connection a server busy with others twice knows nothing of it', async () => {
  const { clock, result } = startStop({ abort: () => said('not_found'), perf: busy }, false)
  await clock.advance(249)
  expect(result).toEqual({})
  await clock.advance(1)
  expect(result).toEqual({ stopped: 'ended', at: 250 })
})

test('after a broken connection a generation that still runs is aborted until it is gone', async () => {
  const running: SideAnswer<AbortAnswer>[] = [said('found'), said('found')]
  const perf = () => (running.length > 0 ? busy() : idle())
  const { clock, aborts, result } = startStop(
    { abort: () => running.shift() ?? said('not_found'), perf },
    false,
  )
  await clock.advance(1000)
  expect(result.stopped).toBe('idle')
  expect(aborts.length).toBeGreaterThan(1)
})

test('a closed backend waits for nobody', async () => {
  const { clock, result, close } = startStop({ abort: () => said('found'), perf: busy })
  await clock.advance(300)
  close()
  await clock.advance(0)
  expect(result.stopped).toBe('dead')
  expect(clock.pending).toBe(0)
})

test('a stream that goes on after its abort is closed, and over a second later', async () => {
  let received = 0
  const { clock, result, hangUps } = startStop({ abort: () => said('found'), perf: busy }, true, {
    received: () => received++,
  })
  await clock.advance(999)
  expect(hangUps()).toBe(0)
  await clock.advance(1)
  expect(hangUps()).toBe(1)
  await clock.advance(999)
  expect(result).toEqual({})
  await clock.advance(1)
  expect(result).toEqual({ stopped: 'ended', at: 2000 })
})

test('a stream without text after its abort may still be reading its prompt: it stays open', async () => {
  const { clock, result, hangUps } = startStop({ abort: () => said('found'), perf: busy }, true, {
    received: () => 7,
  })
  await clock.advance(60_000)
  expect(hangUps()).toBe(0)
  expect(result).toEqual({})
})

test('while a tool is chosen for the call, whatever runs is aborted, once nobody else can be meant', async () => {
  const { clock, aborts } = startStop({ abort: () => said('not_found'), perf: busy }, true, {
    hidesKey: true,
  })
  await clock.advance(700)
  expect(aborts).toEqual(['job-1 at 0', 'job-1 at 250', 'any at 500'])
})

test.each([
  ['somebody waits', perfOf('busy', 1), true],
  ['it does not say who waits', () => said({ ...busy().value, queue: undefined }), true],
  ['the call has no choice of tools', busy, false],
])('nobody else is aborted where %s', async (_why, perf, hidesKey) => {
  const { clock, aborts } = startStop({ abort: () => said('not_found'), perf }, true, { hidesKey })
  await clock.advance(10_000)
  expect(aborts.filter((abort) => abort.startsWith('any'))).toEqual([])
})

test('connections that break for 15 s mean gone: nothing there can be woken', async () => {
  const broken = { as: 'broken' } as const
  const { clock, result } = startStop({ abort: () => broken, perf: () => broken }, false)
  await clock.advance(14_999)
  expect(result).toEqual({})
  await clock.advance(1)
  expect(result).toEqual({ stopped: 'gone', at: 15_000 })
})

test('a server that never says how it is has stopped once it was told so for 15 s, where the call is broken', async () => {
  const abort = { as: 'answered', value: 'found' } as const
  const perf = {
    as: 'answered',
    value: { state: 'unclear', queue: undefined, lastEnd: undefined, lastTokens: undefined },
  } as const
  const { clock, result } = startStop({ abort: () => abort, perf: () => perf }, false)
  await clock.advance(14_999)
  expect(result).toEqual({})
  await clock.advance(500)
  expect(result).toMatchObject({ stopped: 'ended' })
})
