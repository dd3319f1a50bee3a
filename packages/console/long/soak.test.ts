import type { Browser, CDPSession } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { trendOf } from '../../bench/src/soak/trend.ts'
import {
  chromiumPath,
  needsChromium,
  openBrowser,
  startWorld,
  type World,
  watchedPage,
} from '../test/console-world.ts'

/** What an hour has, in so many seconds' worth of events; longer by hand: CONSOLE_SOAK_SECONDS=3600. */
const SECONDS = Number(process.env.CONSOLE_SOAK_SECONDS ?? 36)
const PER_SECOND = 500
const HOUR_MINUTES = 60
const HEAP_MB = 60
const MB = 1_000_000

describe.skipIf(chromiumPath === undefined)(`a tab that stays open${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test.each(['', 'tickets'])(
    'the heap of /%s stays small at 500 events/s, and would after an hour',
    { timeout: (SECONDS + 300) * 4_000 },
    async (path) => {
      await using world = await startWorld()
      const context = await browser.newContext()
      context.setDefaultTimeout(60_000)
      const { page, complaints } = await watchedPage(context, world.url)
      await page.goto(`${world.console}${path}`)
      await page.getByText('● live').waitFor()
      const session = await context.newCDPSession(page)
      await sendAll(world, PER_SECOND * 10)
      const points: { x: number; y: number }[] = []
      for (let second = 0; second < SECONDS; second += 3) {
        await sendAll(world, PER_SECOND * 3)
        points.push({ x: second / 60, y: await heapMb(session) })
      }
      const { slope, low } = trendOf(points)
      const last = points.at(-1)?.y ?? Number.NaN
      process.stdout.write(`heap of /${path}: ${last.toFixed(1)} MB, ${slope.toFixed(2)} MB a minute\n`)
      expect(Math.max(...points.map(({ y }) => y))).toBeLessThanOrEqual(HEAP_MB)
      expect(last + Math.max(0, low) * HOUR_MINUTES).toBeLessThanOrEqual(HEAP_MB)
      expect(complaints).toEqual([])
      await context.close()
    },
  )
})

/** By count, not by time: a busy machine takes longer. */
async function sendAll(world: World, count: number): Promise<void> {
  let left = count
  const caller = async () => {
    while (left-- > 0) await world.post('/event', { content: 'Short' })
  }
  await Promise.all(Array.from({ length: 16 }, caller))
}

/** After a collection. */
async function heapMb(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize / MB
}
