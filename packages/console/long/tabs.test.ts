import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  chromiumPath,
  needsChromium,
  openBrowser,
  shownIds,
  startWorld,
  type World,
  watchedPage,
} from '../test/console-world.ts'

/** A name in the network, without a certificate: the browser gives its pages no locks. */
const LAN_NAME = 'desk.lan'
const EVENTS = 10_000
const TABS = 8
const FILTER = '?metadata.list=a'

interface List {
  readonly data: readonly { readonly id: string }[]
  readonly next_cursor?: string
}

describe.skipIf(chromiumPath === undefined)(`tabs of one browser${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser([LAN_NAME])
  })
  afterAll(() => browser?.close())

  test.each(['127.0.0.1', LAN_NAME])(
    'eight tabs at %s are live with two connections, recover alone, and miss nothing',
    { timeout: 900_000 },
    async (host) => {
      await using world = await startWorld({ environment: { AI_TICKET_ALLOWED_HOSTS: LAN_NAME } })
      const base = world.console.replace('127.0.0.1', host)
      const context = await browser.newContext()
      context.setDefaultTimeout(30_000)
      const tries: number[] = []
      const requests = new Set<Request>()
      // Of a page that is closed in the background, no request is reported as over.
      const open = () => [...requests].filter((one) => !one.frame().page().isClosed()).length
      context.on('request', (request) => {
        if (!request.url().includes('/feed')) return
        tries.push(performance.now())
        requests.add(request)
      })
      const over = (request: Request) => requests.delete(request)
      context.on('requestfinished', over).on('requestfailed', over)
      const pages = await openTabs(context, base)
      expect(await pages[0]?.evaluate(() => 'locks' in navigator)).toBe(host !== LAN_NAME)
      await allSay(pages, '● live')
      await expect.poll(open).toBe(2)

      await send(world, EVENTS / 2)
      await allShow(pages, world)

      await world.kill('SIGKILL')
      await Promise.all(pages.map((page) => page.getByText(/^✕ lost, as of/).waitFor()))
      tries.length = 0
      // Both feeds, three times each.
      await expect.poll(() => tries.length).toBeGreaterThanOrEqual(6)
      await world.restart()
      await allSay(pages, '● live')
      const perSecond = tries.map((at) => tries.filter((one) => one >= at && one < at + 1_000).length)
      expect(Math.max(...perSecond)).toBeLessThanOrEqual(2)
      await send(world, EVENTS / 2)
      await allShow(pages, world)
      for (const page of pages.slice(0, 2)) expect(await loadAll(page)).toEqual(await allIds(page, world))

      // The one that reads for all goes.
      await pages[0]?.close()
      await expect.poll(open).toBe(2)
      const rest = pages.slice(1)
      await allSay(rest, '● live')
      await send(world, 8)
      await allShow(rest, world)
      await context.close()
    },
  )

  test('a tab that is asked for another list goes on with its own filters, and one that is frozen is replaced', async () => {
    await using world = await startWorld()
    const context = await browser.newContext()
    context.setDefaultTimeout(30_000)
    const [leader, other] = [await context.newPage(), await context.newPage()]
    await leader.goto(`${world.console}tickets`)
    await leader.getByText('● live').waitFor()
    await other.goto(`${world.console}tickets`)
    await other.getByText('● live').waitFor()
    await other.getByRole('combobox', { name: 'Search' }).fill('metadata.list:b')
    await other.keyboard.press('Enter')
    await other.waitForURL('**/tickets?metadata.list=b')
    await world.post('/event', { content: 'For all', metadata: { list: 'a' } })
    await world.post('/event', { content: 'For both', metadata: { list: 'b' } })
    await other.getByText('For both').waitFor()
    await leader.getByText('For all').waitFor()
    expect(await other.getByText('For all').count()).toBe(0)

    const session = await context.newCDPSession(leader)
    await session.send('Debugger.enable')
    await session.send('Debugger.pause')
    // Stands still at its next statement, with the lock in its hand.
    await world.post('/event', { content: 'While it stands still', metadata: { list: 'b' } })
    await other.getByText('While it stands still').waitFor({ timeout: 45_000 })
    await session.send('Debugger.disable')
    await leader.getByText('While it stands still').waitFor()
    await world.post('/event', { content: 'And after', metadata: { list: 'b' } })
    for (const page of [leader, other]) await page.getByText('And after').waitFor()
    for (const page of [leader, other]) expect(await twice(page)).toEqual([])
    await context.close()
  })
})

/** Half of them with a filter. */
async function openTabs(context: BrowserContext, base: string): Promise<readonly Page[]> {
  const pages: Page[] = []
  for (let tab = 0; tab < TABS; tab += 1) {
    const { page } = await watchedPage(context, new URL(base).origin)
    await page.goto(`${base}tickets${tab % 2 === 0 ? '' : FILTER}`)
    await page.getByRole('heading', { name: 'Tickets', exact: true }).waitFor()
    pages.push(page)
  }
  return pages
}

const allSay = (pages: readonly Page[], words: string): Promise<unknown> =>
  Promise.all(pages.map((page) => page.getByText(words).waitFor()))

/** Every second one is of the list that the filter asks for. */
async function send(world: World, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, number) => number)
  while (numbers.length > 0) {
    const some = numbers.splice(0, 8)
    await Promise.all(
      some.map((number) =>
        world.post('/event', { content: 'Short', metadata: { list: number % 2 === 0 ? 'a' : 'b' } }),
      ),
    )
  }
}

/** Each tab has the newest tickets of its filter, each once; where it says that there are more, it has them once it is reloaded. */
async function allShow(pages: readonly Page[], world: World): Promise<void> {
  for (const page of pages) {
    const more = page.getByRole('button', { name: 'More have changed: reload' })
    await expect
      .poll(async () => {
        if ((await more.count()) > 0) await more.click()
        return differences(page, world)
      })
      .toEqual([])
    expect(await twice(page)).toEqual([])
  }
}

/** All that the list has, page after page. */
async function loadAll(page: Page): Promise<readonly string[]> {
  const loaded = page.getByText(/^[\d,]+ tickets, looked through to the end/)
  for (let press = 0; press < EVENTS / 50; press += 1) await page.keyboard.press('m')
  await loaded.waitFor({ timeout: 120_000 })
  // A tab in the background draws nothing.
  await page.bringToFront()
  return page.evaluate(readDownwards)
}

/** Runs in the page. A long list draws only the rows around what is in sight, so reading all of them means scrolling. */
async function readDownwards(): Promise<readonly string[]> {
  const ids: string[] = []
  const end = document.documentElement
  // Some hundred rows beyond what is in sight are drawn as well.
  for (let top = 0; top < end.scrollHeight; top += 4 * end.clientHeight) {
    scrollTo(0, top)
    await new Promise(requestAnimationFrame)
    await new Promise(requestAnimationFrame)
    for (const row of document.querySelectorAll<HTMLElement>('tbody tr[data-id]')) {
      ids[Number(row.ariaRowIndex) - 2] = row.dataset.id ?? ''
    }
  }
  scrollTo(0, 0)
  return ids
}

/** All that the server has of a page's list, in its order. */
async function allIds(page: Page, world: World): Promise<readonly string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const read = await listed(page, world, cursor)
    ids.push(...read.data.map(({ id }) => id))
    cursor = read.next_cursor
  } while (cursor !== undefined)
  return ids
}

async function listed(page: Page, { url }: World, cursor?: string): Promise<List> {
  const query = new URLSearchParams(new URL(page.url()).search)
  const more = { view: 'row', limit: cursor === undefined ? '50' : '200', ...(cursor && { cursor }) }
  for (const [name, value] of Object.entries(more)) query.set(name, value)
  return (await (await fetch(`${url}/tickets?${query}`)).json()) as List
}

/** Tickets that the server lists and the page does not. */
async function differences(page: Page, world: World): Promise<readonly string[]> {
  const rows = new Set(await shownIds(page))
  return (await listed(page, world)).data.flatMap(({ id }) => (rows.has(id) ? [] : [id]))
}

const twice = async (page: Page): Promise<readonly string[]> => {
  const ids = await shownIds(page)
  return ids.filter((id, index) => ids.indexOf(id) !== index)
}
