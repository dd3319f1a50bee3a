import { expect, it } from 'vitest'
import { groupCalls } from './limit-calls.ts'

it('does what is asked meanwhile in one group', async () => {
  const groups: number[][] = []
  const call = groupCalls({
    run: async (items: readonly number[]) => {
      groups.push([...items])
      await Promise.resolve()
      return items.map((item) => item * 2)
    },
    isCommon: () => false,
  })
  expect(await Promise.all([call(1), call(2), call(3)])).toEqual([2, 4, 6])
  expect(groups).toEqual([[1], [2, 3]])
})

it('lets one that is at fault take nobody with it', async () => {
  const call = groupCalls({
    run: async (items: readonly number[]) => {
      if (items.includes(3)) throw new Error('three')
      return items
    },
    isCommon: () => false,
  })
  const [, two, three, four] = await Promise.allSettled([call(1), call(2), call(3), call(4)])
  expect([two, three, four].map((result) => result?.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

it('does not try each alone when all would fail alike', async () => {
  let runs = 0
  const call = groupCalls({
    run: async () => {
      runs++
      throw new Error('down')
    },
    isCommon: () => true,
  })
  await Promise.allSettled([call(1), call(2), call(3)])
  expect(runs).toBe(2)
})
