import { createSqliteStore } from '@ai-ticket/tickets'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  chromiumPath,
  failedEntry,
  focusIsOn,
  frameTimesMs,
  needsChromium,
  openBrowser,
  p95,
  rows,
  shownIds,
  startWorld,
  watchedPage,
  watchFocus,
} from '../test/console-world.ts'

/** A value of every filter that the server takes; where any text is one, an odd one. */
const ODD = 'a "b" \\ c:d\n ü'
const FILTERS: Readonly<Record<string, string>> = {
  status: 'failed,completed',
  kind: 'event',
  backend: ODD,
  model: ODD,
  error: ODD,
  key: ODD,
  event_id: ODD,
  idempotency_key: ODD,
  replay_of: 'tkt_1',
  callback: 'dead',
  wasted: 'true',
  created_from: '2026-01-01T00:00:00Z',
  created_before: '2026-01-02T00:00:00+01:00',
  'metadata.order': '4711',
  'metadata.my "odd": name': ODD,
  text: ODD,
}

const MANY = 10_000
const FRAMES = 240
const FRAME_MS = 20

describe.skipIf(chromiumPath === undefined)(`the list of tickets${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (url: string) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    context.setDefaultTimeout(15_000)
    const watched = await watchedPage(context, new URL(url).origin)
    const lostFocus = await watchFocus(watched.page)
    await watched.page.goto(url)
    return { ...watched, lostFocus }
  }

  test('an address is on the screen as one line, and the line is the address, for every filter', async () => {
    await using world = await startWorld()
    const { page, complaints } = await open(`${world.console}tickets`)
    await page.getByText('No tickets yet').waitFor()
    const field = page.getByLabel('Search', { exact: true })
    const sets = [...Object.entries(FILTERS).map(([name, value]) => ({ [name]: value })), FILTERS]
    for (const filters of sets) {
      const names = Object.keys(filters).sort()
      const search = `?${new URLSearchParams(names.map((name) => [name, filters[name] ?? '']))}`
      const answered = page.waitForResponse((response) => response.url().includes('/tickets?'))
      await page.goto(`${world.console}tickets${search}`)
      expect([filters, (await answered).status()]).toEqual([filters, 200])
      await page.getByText('No ticket fits').waitFor()
      const line = await field.inputValue()
      // From another list, the line that was shown leads to the same address.
      await page.goto(`${world.console}tickets?status=queued`)
      await field.fill(line)
      await page.keyboard.press('Enter')
      await expect.poll(() => new URL(page.url()).search).toBe(search)
      await expect.poll(() => field.inputValue()).toBe(line)
    }
    expect(complaints).toEqual([])
  })

  test('ten thousand rows scroll without a stop, and by keys, too', { timeout: 300_000 }, async () => {
    await using world = await startWorld({ fill: (folder) => fillWith(folder, MANY) })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets`)
    page.setDefaultTimeout(120_000)
    await rows(page, 50)
    for (let count = 50; count < MANY; count += 50) await page.keyboard.press('m')
    await page.getByText(`${MANY.toLocaleString('en')} tickets, looked through to the end`).waitFor()
    // The first and the last row, and a step from each, wherever the page is.
    await page.keyboard.press('Shift+G')
    await focusIsOn(page, 'The needle')
    await page.keyboard.press('k')
    await focusIsOn(page, 'Hay 1,')
    expect(await page.evaluate(() => scrollY)).toBeGreaterThan(100_000)
    await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] })
    await scrollOn(page)
    const frames = frameTimesMs(await browser.stopTracing())
    process.stdout.write(`a frame of ${MANY} rows that scroll: p95 ${p95(frames).toFixed(1)} ms\n`)
    expect(frames.length).toBeGreaterThan(FRAMES / 2)
    expect(p95(frames)).toBeLessThanOrEqual(FRAME_MS)
    // The row with the focus was out of sight for long.
    await focusIsOn(page, 'Hay 1,')
    await page.keyboard.press('g')
    await page.keyboard.press('g')
    await focusIsOn(page, `Hay ${MANY - 1},`)
    await page.keyboard.press('Shift+G')
    await focusIsOn(page, 'The needle')
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('the field completes names and values, by keys', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'One' })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets`)
    await rows(page, 1)
    await page.keyboard.press('/')
    const field = page.getByLabel('Search', { exact: true })
    await page.keyboard.type('back')
    await page.getByRole('option', { name: 'backend' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect.poll(() => field.inputValue()).toBe('backend:')
    await page.getByRole('option', { name: 'kobold' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect.poll(() => field.inputValue()).toBe('backend:kobold ')
    await page.keyboard.type('status:comp')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await expect.poll(() => new URL(page.url()).search).toBe('?backend=kobold&status=completed')
    await rows(page, 1)
    await page.keyboard.press('Escape')
    await focusIsOn(page, 'One')
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('rows that were asked for stay, whenever that was: before the feed says its first word, or while the list is read again', async () => {
    await using world = await startWorld()
    for (let index = 0; index < 310; index += 1) await world.post('/event', { content: `Number ${index}` })
    const { page, complaints } = await open(`${world.console}config`)
    await page.getByRole('heading', { name: 'Config', level: 1 }).waitFor()
    const feed = await holdNext(page, /\/feed/)
    await page.goto(`${world.console}tickets`)
    await rows(page, 50)
    await page.keyboard.press('m')
    await rows(page, 100)
    const again = await holdNext(page, /\/tickets\?/)
    feed.release()
    await again.asked
    await page.keyboard.press('m')
    again.release()
    await page.getByText('● live').waitFor()
    await rows(page, 150)
    expect(new Set(await shownIds(page)).size).toBe(150)
    await page.keyboard.press('u')
    await page.keyboard.press('m')
    await rows(page, 200)
    // Two presses before the page is drawn again.
    await page.evaluate(() => {
      for (const _press of [1, 2])
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'm', code: 'KeyM', bubbles: true }))
    })
    await rows(page, 300)
    expect(complaints).toEqual([])
  })

  test('a search goes on through all tickets, says how far it is, and only then that none fits', async () => {
    await using world = await startWorld({ fill: fillWithHay })
    const { page, complaints } = await open(`${world.console}tickets`)
    await rows(page, 50)
    const second = await holdNext(page, /cursor=/)
    await page.keyboard.press('/')
    await page.keyboard.type('needle')
    await page.keyboard.press('Enter')
    await second.asked
    await page.getByText(/^0 tickets, looked through to .*, going on$/).waitFor()
    expect(await page.getByText('No ticket fits').count()).toBe(0)
    second.release()
    await rows(page, 1)
    await page.getByText('1 ticket, looked through to the end').waitFor()
    await page.goto(`${world.console}tickets?text=nothing-like-it`)
    await page.getByText('No ticket fits').waitFor()
    expect(complaints).toEqual([])
  })

  test('Back gives back the list, its place and its row, and new tickets wait', async () => {
    await using world = await startWorld()
    for (let index = 0; index < 130; index += 1)
      await world.post('/event', { content: `Number ${index}`, metadata: { list: 'a' } })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets?metadata.list=a`)
    await rows(page, 50)
    await page.getByText('● live').waitFor()
    await page.keyboard.press('m')
    await rows(page, 100)
    await page.keyboard.press('Shift+G')
    for (let press = 0; press < 20; press += 1) await page.keyboard.press('k')
    await page.keyboard.press('x')
    await page.waitForFunction(() => scrollY > 500)
    const place = () =>
      page.evaluate(() => ({
        row: document.activeElement?.getAttribute('data-id'),
        top: Math.round(document.activeElement?.getBoundingClientRect().top ?? 0),
      }))
    // Scrolling has come to rest.
    let before = await place()
    await expect
      .poll(async () => {
        const last = before
        before = await place()
        return before.top - last.top
      })
      .toBe(0)
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Story' }).waitFor()
    await world.post('/event', { content: 'Meanwhile', metadata: { list: 'a' } })
    await world.post('/event', { content: 'Elsewhere', metadata: { list: 'b' } })
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: '1 new' }).waitFor()
    await rows(page, 100)
    await expect.poll(place).toEqual(before)
    await page.getByText('1 selected').waitFor()

    // The same, from another list of the same screen.
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('text:none')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('nothing-like-it')
    await page.keyboard.press('Enter')
    await page.getByText('No ticket fits').waitFor()
    await page.goBack()
    await rows(page, 100)
    await expect.poll(async () => (await place()).row).toBe(before.row)
    await expect.poll(async () => Math.abs((await place()).top - 400) <= 400).toBe(true)
    // A link to it begins at its top.
    await page.goForward()
    await page.getByText('No ticket fits').waitFor()
    await page.getByRole('button', { name: 'Remove the filter' }).click()
    await rows(page, 50)
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })
})

/** Lets the next request for such an address wait. */
async function holdNext(page: Page, address: RegExp) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>()
  await page.route(
    address,
    async (route) => {
      isAsked()
      await released
      await route.continue()
    },
    { times: 1 },
  )
  return { asked, release }
}

/** More than the server looks through for a page, and the needle at the bottom. */
async function fillWithHay(folder: string): Promise<void> {
  await using store = createSqliteStore({ directory: folder })
  const start = Date.now() - 60_000
  await store.record(
    Array.from({ length: 4_000 }, (_, number) =>
      failedEntry(`evt_${number}`, number === 0 ? 'The needle' : 'Hay', start + number),
    ),
  )
}

async function fillWith(folder: string, count: number): Promise<void> {
  await using store = createSqliteStore({ directory: folder })
  const start = Date.now() - 3_600_000
  const entries = Array.from({ length: count }, (_, number) =>
    failedEntry(
      `evt_${number}`,
      number === 0 ? 'The needle' : `Hay ${number}, and more of it`,
      start + number,
    ),
  )
  await store.record(entries)
}

/** As a wheel would, in the midst of the list. */
const scrollOn = (page: Page): Promise<void> =>
  page.evaluate(async (frames) => {
    scrollTo(0, document.documentElement.scrollHeight / 2)
    for (let frame = 0; frame < frames; frame += 1) {
      scrollBy(0, 120)
      await new Promise(requestAnimationFrame)
    }
  }, FRAMES)
