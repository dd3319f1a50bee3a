import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { duration } from '../src/app/parts/format.ts'
import { chromiumPath, needsChromium, openBrowser, rows, startWorld } from './console-world.ts'

const LONG = 'gpu-in-the-basement-next-to-the-boiler-with-a-very-long-name'

/** Backends of a file, which nothing listens for. */
function backendsOf(folder: string, names: readonly string[]) {
  const path = join(folder, 'backends.json')
  const backends = names.map((name) => ({ type: 'kobold', name, url: 'http://127.0.0.1:9' }))
  writeFileSync(path, JSON.stringify({ backends }))
  return { AI_TICKET_CONFIG: path, KOBOLDCPP_API_URL: '' }
}

describe.skipIf(chromiumPath === undefined)(`odd desks${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test('a backend of sixty characters widens no page, and its bar begins where the others do', async () => {
    await using world = await startWorld({ environment: (folder) => backendsOf(folder, ['big', LONG]) })
    const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
    for (const screen of ['config', 'line', '']) {
      await page.goto(`${world.console}${screen}`)
      await page.getByText(LONG).first().waitFor()
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect([screen, overflow <= 0]).toEqual([screen, true])
    }
    await page.setViewportSize({ width: 1280, height: 800 })
    const bars = page.getByRole('list', { name: 'GPU time' }).locator('li > [aria-hidden]')
    await expect.poll(() => bars.count()).toBe(2)
    const starts = await bars.evaluateAll((all) => all.map((bar) => bar.getBoundingClientRect().left))
    expect(new Set(starts).size).toBe(1)
    await page.close()
  })

  test('the total of a ticket is the whole time, its wait in it', async () => {
    await using world = await startWorld({ tokensPerSecond: 40 })
    for (const content of ['first', 'second', 'third']) await world.post('/tickets', { content })
    const page = await browser.newPage()
    await page.goto(`${world.console}tickets`)
    await rows(page, 3)
    const ended = page.locator('tbody tr[data-id]').filter({ hasText: 'completed' })
    await expect.poll(() => ended.count(), { timeout: 20_000 }).toBe(3)
    const answer = await fetch(`${world.url}/tickets?view=row`)
    const { data } = (await answer.json()) as { data: { created_at: string; finished_at: string }[] }
    const totals = await page
      .locator('tbody tr[data-id]')
      .evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].at(-2)?.textContent))
    expect(totals).toEqual(
      data.map((row) => duration(Date.parse(row.finished_at) - Date.parse(row.created_at))),
    )
    await page.close()
  })

  test('the head says when a new event would start, not when the next one does', async () => {
    await using world = await startWorld({ tokensPerSecond: 100 })
    // The first ones teach how long one takes.
    for (const content of ['one', 'two', 'three']) await world.post('/event', { content })
    const page = await browser.newPage()
    await page.goto(world.console)
    await page.getByText('● live').waitFor()
    for (let sent = 0; sent < 20; sent += 1) void world.post('/event', { content: 'waits' }).catch(() => {})
    const head = page.getByRole('banner')
    await expect
      .poll(() => head.textContent(), { timeout: 5_000, interval: 20 })
      .toMatch(/\d+ wait, a new one in ~/)
    await page.close()
  })

  test.each([-600_000, 600_000])(
    'a clock that is %d ms off does not change how long a ticket has run',
    async (off) => {
      await using world = await startWorld({ tokensPerSecond: 0.5 })
      const { id } = await world.post('/tickets', { content: 'slow' })
      const page = await browser.newPage()
      await page.addInitScript((ms) => {
        const now = Date.now.bind(Date)
        Date.now = () => now() + ms
      }, off)
      await page.goto(`${world.console}tickets/${id}`)
      await expect.poll(() => page.getByText(/1 call, (\d+ ms|[\d.]+ s) so far/).count()).toBe(1)
      await expect
        .poll(() => page.getByText(/1 call, [1-9]\.\d s so far/).count(), { timeout: 9_000 })
        .toBe(1)
      await page.close()
    },
  )
})
