import { createSqliteStore } from '@ai-ticket/tickets'
import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fillStore } from '../../bench/src/tickets/fill-store.ts'
import { RARE_WORD } from '../../bench/src/tickets/sample-entries.ts'
import {
  busiestTaskMs,
  chromiumPath,
  failedEntry,
  needsChromium,
  ONE,
  openBrowser,
  p95,
  rows,
  startWorld,
  type World,
  watchedPage,
} from '../test/console-world.ts'
import {
  cancel,
  changeAttempts,
  findAndEdit,
  HANDS,
  JOURNEY_WORLD,
  KEY,
  pauseBackend,
  replayAll,
  signIn,
} from '../test/journey.ts'

const isLong = process.env.AI_TICKET_LONG === '1'
const TICKETS = isLong ? 1_000_000 : 50_000
const LARGE = 100
const DEAD = 14
const KB = 1_024
const DAY_MS = 24 * 3_600_000
const ROW_MS = 20
const USABLE_MS = 300
const MOST_TRIES = 8
/** Guards against what hangs. */
const LIMIT_MS = 900_000
const ROW_BYTES = 64 * KB

/** What people ask of a list. */
const QUERIES = [
  '',
  '?status=failed',
  '?status=queued,in_progress',
  '?kind=ticket',
  '?backend=gpu-rare',
  '?key=ci&status=failed',
  '?error=api_timeout',
  '?metadata.job=job-7',
  '?metadata.source=crm&status=cancelled',
  '?wasted=true',
  '?text=invoice',
  '?status=failed&text=customer',
]

describe.skipIf(chromiumPath === undefined)(`${TICKETS} tickets in a browser${needsChromium}`, () => {
  let browser: Browser
  let world: World
  /** Whether the model gives what the schema asks for. */
  let isMended = false
  beforeAll(async () => {
    browser = await openBrowser()
    world = await startWorld({
      ...JOURNEY_WORLD,
      environment: {
        ...JOURNEY_WORLD.environment,
        AI_TICKET_KEEP_DAYS: '36500',
        AI_TICKET_KEEP_FAILED_DAYS: '0',
      },
      answer: (prompt) => (isMended ? '{"n":1}' : JOURNEY_WORLD.answer(prompt)),
      fill,
    })
  }, 1_200_000)
  afterAll(() => Promise.all([browser?.close(), world?.[Symbol.asyncDispose]()]))

  const open = async (path: string) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    context.setDefaultTimeout(60_000)
    await showKey(context)
    const watched = await watchedPage(context, world.url)
    const listed = watchLists(watched.page)
    await watched.page.goto(`${world.console}${path}`)
    return { ...watched, listed, [Symbol.asyncDispose]: () => context.close() }
  }

  test('pages of rows are quick and small, whatever is asked for', { timeout: LIMIT_MS }, async () => {
    await using at = await open('tickets')
    for (const query of QUERIES) {
      await at.page.goto(`${world.console}tickets${query}`)
      await at.page.getByText(/looked through|No ticket fits/).waitFor()
      for (let press = 0; press < 4; press += 1) {
        await at.page.keyboard.press('m')
        await at.page.waitForFunction(() => !document.body.textContent?.includes(', going on'))
      }
    }
    await untilWithin(ROW_MS, `pages of rows at ${TICKETS}: p95`, async () => p95(await at.listed.times()))
    const sizes = await at.listed.sizes()
    expect(sizes.length).toBeGreaterThan(2 * QUERIES.length)
    expect(p95(sizes)).toBeLessThanOrEqual(ROW_BYTES)
    expect(at.complaints).toEqual([])
  })

  test('the first load can be used at once, and keeps the page busy for less than 100 ms at a time', {
    timeout: LIMIT_MS,
  }, async () => {
    await untilWithin(USABLE_MS, 'usable after', async () => {
      const context = await browser.newContext()
      await showKey(context)
      await context.addInitScript(() => {
        new MutationObserver((_, observer) => {
          if (document.querySelector('tbody tr[data-id]') === null) return
          observer.disconnect()
          Object.assign(window, { usableAt: performance.now() })
        }).observe(document, { childList: true, subtree: true })
      })
      const page = await context.newPage()
      await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] })
      await page.goto(`${world.console}tickets`)
      await rows(page, 50)
      const busiest = busiestTaskMs(await browser.stopTracing())
      expect(busiest).toBeGreaterThan(1)
      expect(busiest).toBeLessThan(100)
      const usableAt = await page.evaluate(() =>
        'usableAt' in window ? Number(window.usableAt) : Number.NaN,
      )
      await context.close()
      return usableAt
    })
  })

  test('a rare word is found wherever it is: the list says how far it has looked, and goes on to the end', {
    timeout: LIMIT_MS,
  }, async () => {
    await using at = await open(`tickets?text=${RARE_WORD}`)
    await at.page.getByText(', going on').first().waitFor()
    expect(await at.page.getByText('No ticket fits').count()).toBe(0)
    await at.page.getByText('looked through to the end').waitFor({ timeout: 200_000 })
    await rows(at.page, Math.ceil((TICKETS - 17) / 50_000))
    await untilWithin(ROW_MS, 'pages looked through: p95', async () => p95(await at.listed.times()))
    await at.page.goto(`${world.console}tickets?text=${RARE_WORD}&key=nobody`)
    await at.page.getByText('No ticket fits').waitFor()
    expect(at.complaints).toEqual([])
  })

  test.each(HANDS.map((hands, turn) => ({ ...hands, dead: DEAD * (turn + 1) })))(
    'by keyboard only: $name',
    { timeout: LIMIT_MS },
    async ({ dead, ...hands }) => {
      for (let number = 0; number < DEAD; number += 1)
        await world.post('/event', { content: `Dead ${number}`, schema: ONE })
      await using journey = await signIn(browser, world, hands)
      await findAndEdit(journey)
      await cancel(journey, world)
      isMended = true
      // Those of the turns before have failed, too, and are still there.
      await replayAll(journey, dead)
      await expect.poll(() => countOf(world, 'status=queued,in_progress')).toBe(0)
      isMended = false
      await changeAttempts(journey, world)
      await pauseBackend(journey, world)
      await journey.ended()
      await world.post('/backends/kobold/resume', {})
      await takeBackChanges(world)
    },
  )
})

/** A month of tickets, some of them large, and a failed one in their middle. */
async function fill(folder: string): Promise<void> {
  await using store = createSqliteStore({ directory: folder })
  const now = Date.now()
  await fillStore(store, { total: TICKETS, now: now - 60_000, waiting: 0 })
  const large = 'large '.repeat((256 * KB) / 6)
  for (let number = 0; number < LARGE; number += 1) {
    await store.record([failedEntry(`evt_large_${number}`, large, now - 50_000 + number)])
  }
  await store.record([failedEntry('evt_needle', 'The needle', now - 15 * DAY_MS)])
}

/** As if somebody had entered it in this tab. */
const showKey = (context: BrowserContext): Promise<unknown> =>
  context.addInitScript((key) => sessionStorage.setItem('ai-ticket-console-key /', key), KEY)

/** The pages of the list that the browser asks for. */
function watchLists(page: Page) {
  const requests: Request[] = []
  const quickest = new Map<string, number>()
  page.on('requestfinished', (request) => {
    if (new URL(request.url()).pathname === '/tickets') requests.push(request)
  })
  return {
    /** How long the server takes for each, asked again by itself; the quickest of all times that this was called. */
    async times(): Promise<readonly number[]> {
      for (const url of new Set(requests.map((request) => request.url()))) {
        const began = performance.now()
        await (await fetch(url, { headers: { authorization } })).arrayBuffer()
        quickest.set(url, Math.min(quickest.get(url) ?? Number.POSITIVE_INFINITY, performance.now() - began))
      }
      return [...quickest.values()]
    },
    sizes: () => Promise.all(requests.map(async (request) => (await request.sizes()).responseBodySize)),
  }
}

/** Measures until it is within the limit: what else the machine does is no fault of what is measured, and does not last. */
async function untilWithin(limit: number, what: string, measure: () => Promise<number>): Promise<void> {
  const measured: number[] = []
  while (measured.length < MOST_TRIES && !((measured.at(-1) ?? Number.NaN) <= limit)) {
    measured.push(await measure())
    process.stdout.write(`${what}: ${measured.at(-1)?.toFixed(1)} ms\n`)
  }
  expect(Math.min(...measured)).toBeLessThanOrEqual(limit)
}

const authorization = `Bearer ${KEY}`

async function countOf({ url }: World, query: string): Promise<number> {
  const response = await fetch(`${url}/tickets?view=row&${query}`, { headers: { authorization } })
  return ((await response.json()) as { data: readonly object[] }).data.length
}

async function takeBackChanges({ url }: World): Promise<void> {
  const { revision } = (await (await fetch(`${url}/config`, { headers: { authorization } })).json()) as {
    revision: string
  }
  const headers = { authorization, 'content-type': 'application/json', 'if-match': revision }
  const body = JSON.stringify({ unset: ['retries.attempts'] })
  const response = await fetch(`${url}/config`, { method: 'PATCH', headers, body })
  expect(response.status).toBe(200)
}
