import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { axeViolations } from '../test/axe.ts'
import {
  chromiumPath,
  needsChromium,
  openBrowser,
  startWorld,
  statusOf,
  type World,
} from '../test/console-world.ts'

const isLong = process.env.AI_TICKET_LONG === '1'
const THEMES = ['light', 'dark', 'contrast-light', 'contrast-dark']
const WIDTHS = isLong ? [1280, 320] : [1280]

/** What the API says to the page, for each state of a screen. */
const STATES = {
  loading: () => new Promise<never>(() => {}),
  empty: undefined,
  full: undefined,
  error: (route: Route) =>
    route.fulfill({
      status: 500,
      json: { error: 'internal_error', details: 'Something failed. Look at the log.' },
    }),
  disconnected: (route: Route) => route.abort('connectionrefused'),
} as const
type Route = Parameters<Parameters<Page['route']>[1]>[0]
type State = keyof typeof STATES

describe.skipIf(chromiumPath === undefined)(`every screen in every state${needsChromium}`, () => {
  let browser: Browser
  let empty: World
  let full: World
  let ids: readonly string[]
  beforeAll(async () => {
    ;[browser, empty, full] = await Promise.all([openBrowser(), startWorld(), startWorld(FULL)])
    ids = await fill(full)
  })
  afterAll(() =>
    Promise.all([browser?.close(), empty?.[Symbol.asyncDispose](), full?.[Symbol.asyncDispose]()]),
  )

  test.each(Object.keys(STATES) as State[])(
    'axe finds nothing, and nothing runs out of the page: %s',
    async (state) => {
      const world = state === 'empty' ? empty : full
      for (const width of WIDTHS) {
        const context = await contextOf(browser, { width })
        const page = await openState(context, world, state)
        for (const path of await pathsOf(page, world, ids)) {
          await settled(page, `${world.console}${path}`, state)
          for (const theme of isLong ? THEMES : ['light']) {
            await page.evaluate((name) => document.documentElement.setAttribute('data-theme', name), theme)
            expect([path, state, width, theme, await axeViolations(page)]).toEqual([
              path,
              state,
              width,
              theme,
              [],
            ])
          }
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          expect([path, state, width, overflow <= 0]).toEqual([path, state, width, true])
        }
        await context.close()
      }
    },
  )

  test('axe finds nothing with forced colours, and each status keeps its shape and word', async () => {
    const context = await contextOf(browser, { width: 1280, forcedColors: 'active' })
    const page = await openState(context, full, 'full')
    for (const path of await pathsOf(page, full, ids)) {
      await settled(page, `${full.console}${path}`, 'full')
      expect([path, await axeViolations(page)]).toEqual([path, []])
    }
    await settled(page, `${full.console}tickets?status=failed`, 'full')
    await page.getByRole('gridcell', { name: 'failed', exact: true }).first().waitFor()
    await context.close()
  })
})

const FULL = {
  tokensPerSecond: 2,
  answer: () => 'word '.repeat(4_000),
  environment: { AI_TICKET_CONSOLE_LABEL: 'prod' },
  ignoreSchema: true,
} as const

/** One that failed, one that runs, one that waits, one that is cancelled. Gives back their ids. */
async function fill(world: World): Promise<readonly string[]> {
  const send = async (event: object) => String((await world.post('/tickets', event)).id)
  const failed = await send({
    content: 'Fails',
    parameters: { max_tokens: 1 },
    schema: { type: 'object', required: ['n'] },
  })
  await vi.waitFor(async () => expect(await statusOf(world, failed)).toBe('failed'), 30_000)
  const running = await send({ content: 'Runs for long', parameters: { max_tokens: 2_000 } })
  await vi.waitFor(async () => expect(await statusOf(world, running)).toBe('in_progress'), 30_000)
  const waiting = await send({ content: 'Waits' })
  const cancelled = await send({ content: 'Is cancelled' })
  await fetch(`${world.url}/tickets/${cancelled}`, { method: 'DELETE' })
  return [failed, running, waiting, cancelled]
}

async function contextOf(
  browser: Browser,
  { width, forcedColors }: { readonly width: number; readonly forcedColors?: 'active' },
): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    reducedMotion: 'reduce',
    ...(forcedColors && { forcedColors }),
  })
  context.setDefaultTimeout(30_000)
  return context
}

/** A page whose questions get what the state says; its own files it gets. */
async function openState(context: BrowserContext, world: World, state: State): Promise<Page> {
  const page = await context.newPage()
  const answer = STATES[state]
  if (answer === undefined) return page
  await page.route(
    (url) => url.origin === world.url && !url.pathname.startsWith('/console'),
    (route) => answer(route),
  )
  return page
}

/** Those of the bar, whichever there are, and those that it does not name. */
async function pathsOf(page: Page, world: World, ids: readonly string[]): Promise<readonly string[]> {
  await page.goto(world.console)
  const links = page.getByRole('navigation', { name: 'Screens' }).getByRole('link')
  await links.first().waitFor()
  const hrefs = await links.evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''))
  const [failed = '', running = '', , cancelled = ''] = ids
  return [
    ...hrefs.map((href) => href.replace(/^\/console\//, '')),
    ...['prompt', 'answer', 'data', 'callbacks', 'event', 'raw'].map((tab) => `tickets/${failed}?tab=${tab}`),
    `tickets/${running}`,
    `compare/${failed}/${cancelled}`,
    'tickets?status=cancelled&text=nobody',
    'nowhere',
  ]
}

/** Until the screen shows its state. */
async function settled(page: Page, url: string, state: State): Promise<void> {
  await page.goto(url)
  await page.locator('h1').first().waitFor()
  const panels = page.locator('[aria-busy]')
  if (state === 'loading')
    await page.waitForFunction(() => document.querySelector('[aria-busy=false]') === null)
  else if ((await panels.count()) > 0)
    await page.waitForFunction(() => document.querySelector('main [aria-busy=true]') === null)
}
