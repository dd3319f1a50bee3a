import { expect, test } from 'vitest'
import { createDeltaQueue } from './delta-queue.ts'

test('what is pushed before, between and after reads comes out in order', async () => {
  const queue = createDeltaQueue<number>()
  queue.push(1)
  const read: number[] = []
  for await (const item of queue.items()) {
    read.push(item)
    if (item === 1) queue.push(2)
    if (item === 2) setImmediate(() => queue.push(3))
    if (item === 3) {
      queue.push(4)
      queue.end()
    }
  }
  expect(read).toEqual([1, 2, 3, 4])
})
