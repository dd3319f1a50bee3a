import { expect, test } from 'vitest'
import type { Clock } from '../contract/clock.ts'
import { readPartial } from './read-partial.ts'

/** A clock that stands still until it is moved. */
function handClock() {
  let nowMs = 0
  const clock: Clock = { now: () => nowMs, wallTime: () => nowMs, setTimer: () => ({ cancel: () => {} }) }
  const move = (ms: number) => {
    nowMs += ms
  }
  return { clock, move }
}

const ROW = '{"name":"somebody","note":"a few words about it"},'
const ANSWER = `{"rows":[${ROW.repeat(2_000)}{}]}`

/** Every piece is four characters, as from a model; so much time goes by between two. */
async function read(answer: string, pauseMs: number) {
  const { clock, move } = handClock()
  let [count, bytes] = [0, 0]
  let last: unknown
  const reader = readPartial(async (data) => {
    count += 1
    bytes += JSON.stringify(data).length
    last = data
  }, clock)
  for (let at = 0; at < answer.length; at += 4) {
    await reader.push(answer.slice(at, at + 4))
    move(pauseMs)
  }
  reader.close()
  return { count, bytes, last }
}

test('comes at most ten times a second, and at the end as it is then', async () => {
  const { count, last } = await read(ANSWER, 1)
  expect(count).toBeLessThanOrEqual(ANSWER.length / 4 / 100 + 2)
  expect(last).toEqual(JSON.parse(ANSWER))
})

test('costs in proportion to the answer, however slowly that comes', async () => {
  const { count, bytes } = await read(ANSWER, 1_000)
  expect(bytes).toBeLessThan(70 * ANSWER.length)
  expect(count).toBeGreaterThan(200)
  const half = await read(`{"rows":[${ROW.repeat(1_000)}{}]}`, 1_000)
  expect(bytes / half.bytes).toBeLessThan(2.2)
})

test('a short answer is told word by word', async () => {
  const { count } = await read('{"a":"some words that come","b":[1,2,3]}', 100)
  expect(count).toBeGreaterThan(6)
})
