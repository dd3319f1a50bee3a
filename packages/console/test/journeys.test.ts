import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { chromiumPath, needsChromium, ONE, openBrowser, rows, startWorld } from './console-world.ts'
import { cancel, findAndEdit, HANDS, JOURNEY_WORLD, pauseBackend, replayAll, signIn } from './journey.ts'

describe.skipIf(chromiumPath === undefined)(`journeys by keyboard only${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test.each(HANDS)('sign in, find, edit, compare, cancel, send again, pause: $name', async (hands) => {
    await using world = await startWorld(JOURNEY_WORLD)
    for (const content of ['The needle', 'Hay', 'More hay'])
      await world.post('/event', { content, schema: ONE })
    await using journey = await signIn(browser, world, hands)
    await rows(journey.page, 3)
    await findAndEdit(journey)
    await cancel(journey, world)
    await replayAll(journey, 3)
    await pauseBackend(journey, world)
    await journey.ended()
  })
})
