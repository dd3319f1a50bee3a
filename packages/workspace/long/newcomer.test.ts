import { afterAll, expect, test } from 'vitest'
import { openVisit, STEPS } from '../newcomer.mjs'

// The way of a newcomer, from the clone to the first project of their own: see newcomer.mjs. A step builds on those before.
const visit = openVisit()
afterAll(() => visit.close(), 60_000)

let failed: string | undefined

test.each(STEPS)('a newcomer: $name', { timeout: 600_000 }, async ({ name, run }) => {
  expect(failed, 'this step failed before').toBeUndefined()
  failed = name
  await run(visit)
  failed = undefined
})
