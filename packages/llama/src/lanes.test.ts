import { expect, test } from 'vitest'
import { createLanes } from './lanes.ts'

const never = new AbortController().signal

test('a lane is used by one at a time; the others get it in the order in which they asked', async () => {
  const lanes = createLanes(['a'])
  const order: string[] = []
  const first = await lanes.take(never)
  const second = lanes.take(never).then((lane) => order.push('second') && lanes.give(lane))
  const third = lanes.take(never).then((lane) => order.push('third') && lanes.give(lane))
  expect({ busy: lanes.busy, waiting: lanes.waiting }).toEqual({ busy: 1, waiting: 2 })
  lanes.give(first)
  await Promise.all([second, third])
  expect(order).toEqual(['second', 'third'])
  expect({ busy: lanes.busy, waiting: lanes.waiting }).toEqual({ busy: 0, waiting: 0 })
})

test('who leaves the line is not given a lane', async () => {
  const lanes = createLanes(['a'])
  const lane = await lanes.take(never)
  const abort = new AbortController()
  const leaver = lanes.take(abort.signal)
  abort.abort(new Error('gone'))
  await expect(leaver).rejects.toThrow('gone')
  await expect(lanes.take(abort.signal)).rejects.toThrow('gone')
  lanes.give(lane)
  expect({ busy: lanes.busy, waiting: lanes.waiting }).toEqual({ busy: 0, waiting: 0 })
})
