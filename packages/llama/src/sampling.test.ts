import { expect, test } from 'vitest'
import type { Engine } from './open-engine.ts'
import { toSampling } from './sampling.ts'

test.each([
  [-1, 0],
  [0, 0],
  [40, 40],
])('a top_k of %s is %s here, where 0 is off', (top_k, topK) => {
  const parameters = { max_tokens: 9, temperature: 0, top_p: 1, top_k }
  expect(toSampling({} as Engine, { key: 'k', turns: [], parameters })).toMatchObject({ topK })
})
