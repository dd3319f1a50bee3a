import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations } from '../test/axe.ts'
import {
  chromiumPath,
  needsChromium,
  ONE,
  openBrowser,
  rows,
  startWorld,
  watchedPage,
} from '../test/console-world.ts'

const isLong = process.env.AI_TICKET_LONG === '1'
/** The other two have the same places; contrast.test.ts computes their colours. */
const THEMES = isLong ? ['light', 'dark', 'contrast-light', 'contrast-dark'] : ['light', 'dark']

const KEY = 'sk-the-key-of-the-operator'
const IMAGES = fileURLToPath(new URL('../../../docs/images/', import.meta.url))

describe.skipIf(chromiumPath === undefined)(`the console in a browser${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (
    url: string,
    options: { readonly width?: number; readonly scheme?: 'light' | 'dark' } = {},
  ) => {
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1280, height: 800 },
      colorScheme: options.scheme ?? 'light',
    })
    context.setDefaultTimeout(15_000)
    const watched = await watchedPage(context, new URL(url).origin)
    await watched.page.goto(url)
    return { ...watched, context }
  }

  test('by keyboard only: find, open, replay, copy, back', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'The needle', metadata: { order: '4711' } })
    await world.post('/event', { content: 'Hay' })
    const { page, complaints } = await open(world.url)
    await page.waitForURL('**/console/')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('p')
    await rows(page, 2)

    await page.keyboard.press('/')
    await page.keyboard.type('metadata.order:4711 needle')
    await page.keyboard.press('Enter')
    await rows(page, 1)
    expect(new URL(page.url()).search).toBe('?metadata.order=4711&text=needle')
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/console/tickets/*')
    await page.getByRole('region', { name: 'Story' }).waitFor()
    const first = page.url()

    await page.keyboard.press('r')
    await page.waitForURL((url) => url.href !== first && url.pathname.includes('/tickets/'))
    await page.getByText('replayed from').waitFor()
    await page.getByRole('heading', { level: 1 }).locator('..').getByText('completed').waitFor()
    await page.keyboard.press('1')
    await page.getByRole('tabpanel').getByText('The needle').waitFor()
    expect(page.url()).toContain('?tab=prompt')

    await page.keyboard.press('Escape')
    await page.waitForURL(first)
    await page.keyboard.press('Escape')
    await page.waitForURL('**/tickets?metadata.order=4711&text=needle')
    // The replay has the same prompt.
    await rows(page, 2)
    expect(complaints).toEqual([])
  })

  test('a running ticket is followed live, and cancelled with proof', async () => {
    await using world = await startWorld({ tokensPerSecond: 2 })
    const { id } = await world.post('/tickets', {
      content: 'Write a long story',
      parameters: { max_tokens: 400 },
    })
    const { page, complaints } = await open(`${world.console}tickets/${id}`)
    await world.simulator.waitForCall(1)
    await page.getByText('1 kobold/chat').first().waitFor()
    await page.keyboard.press('Shift+X')
    await page
      .getByText(
        /Cancelled while kobold worked on it|kobold has stopped: it(s call has ended| says that it is idle)/,
      )
      .waitFor()
    await page.getByRole('heading', { level: 1 }).locator('..').getByText('cancelled').waitFor()
    await expect.poll(() => world.simulator.generating).toBe(false)
    expect(world.simulator.wastedTokens).toBeLessThan(10)
    expect(complaints).toEqual([])
  })

  test('asks for a key over the page, and keeps it in the tab only', async () => {
    const environment = { AI_TICKET_API_KEYS: `operator=${KEY}` }
    await using world = await startWorld({ environment, key: KEY })
    await world.post('/event', { content: 'Only for those with a key' })
    const { page, complaints, context } = await open(`${world.console}tickets`)
    const dialog = page.getByRole('dialog', { name: 'This server wants an API key' })
    await dialog.waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('key')
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await dialog.getByText('The server does not know this key.').waitFor()
    await dialog.getByLabel('API key').fill(KEY)
    await page.keyboard.press('Enter')
    await page.getByText('Only for those with a key').waitFor()
    await page.getByText('Only for those with a key').click()
    await page.keyboard.press('6')

    // A second tab of the browser gets it from the first.
    const second = await context.newPage()
    await second.goto(`${world.console}tickets`)
    await second.getByText('Only for those with a key').waitFor()

    const traces = await page.evaluate(() => [
      location.href,
      document.documentElement.outerHTML,
      JSON.stringify({ ...localStorage }),
      document.cookie,
      [...document.querySelectorAll('input')].map(({ value }) => value).join(),
    ])
    for (const trace of traces) expect(trace).not.toContain(KEY)
    expect(world.log()).not.toContain(KEY)
    expect(complaints.filter((one) => !one.includes('401'))).toEqual([])
  })

  test('says what is wrong where it is wrong, and recovers', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'Still here' })
    const { page } = await open(`${world.console}tickets?status=completed`)
    await page.getByText('Still here').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type(' statsu:failed')
    await page.keyboard.press('Enter')
    await page.getByText('There is no filter statsu').waitFor()
    await page.goto(`${world.console}tickets/tkt_never`)
    await page.getByText('Not found: removed, or never there').waitFor()
    await page.goto(`${world.console}nowhere`)
    await page.getByText('There is no such screen').waitFor()
    await page.goto(`${world.console}tickets`)
    await page.getByText('Still here').waitFor()
    await world.kill('SIGKILL')
    await page.getByText(/^✕ lost, as of .*, next try in \d/).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('u')
    await page.getByText('The server cannot be reached').waitFor()
    await page.getByText('Still here').waitFor()
    await page.getByText(/What you see is as of/).waitFor()
  })

  test('never used and no result say what to do', async () => {
    await using world = await startWorld()
    const { page, complaints } = await open(`${world.console}tickets`)
    await page.getByText('No tickets yet').waitFor()
    await page.goto(`${world.console}tickets?status=failed&text=nobody`)
    await page.getByText('No ticket fits').waitFor()
    await page.getByRole('button', { name: 'Remove all filters' }).click()
    await page.getByText('No tickets yet').waitFor()
    expect(new URL(page.url()).search).toBe('')
    expect(complaints).toEqual([])
  })

  test('keys without a modifier can be switched off, and help lists them', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'One' })
    const { page } = await open(`${world.console}tickets`)
    await rows(page, 1)
    await page.keyboard.press('?')
    const help = page.getByRole('dialog', { name: 'Keys' })
    await help.getByText('Copy as curl').waitFor()
    await help.getByRole('checkbox', { name: /without a modifier/ }).uncheck()
    await page.keyboard.press('Escape')
    await help.waitFor({ state: 'detached' })
    await page.keyboard.press('t')
    await page.keyboard.press('?')
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('light')
    expect(await help.count()).toBe(0)
  })

  test('Compose sends a ticket, shows its answer as it comes, and keeps the draft', async () => {
    await using world = await startWorld({ tokensPerSecond: 15 })
    const { page, complaints } = await open(`${world.console}tickets`)
    await page.getByText('No tickets yet').waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('n')
    await page.getByLabel('Prompt', { exact: true }).last().fill('Why is the sky blue?')
    await page.reload()
    await page.getByLabel('Longest answer, tokens').fill('60')
    await page.keyboard.press('Control+Enter')
    const answer = page.getByRole('region', { name: 'Answer' })
    await answer.getByText('running').waitFor()
    await answer.getByText(/^This is the/).waitFor()
    expect(world.simulator.calls[0]?.body).toMatchObject({ stream: true })
    await answer.getByText('completed').waitFor()
    await answer.getByText(/nothing to say about it/).waitFor()
    expect(world.simulator.calls.length).toBe(1)
    await answer.getByRole('link', { name: /^tkt_/ }).click()
    await page.getByRole('tabpanel').waitFor()
    await page.keyboard.press('1')
    await page.getByRole('tabpanel').getByText('Why is the sky blue?').waitFor()
    expect(complaints).toEqual([])
  })

  test('Compose sends a conversation, with its times', async () => {
    await using world = await startWorld()
    const { page, complaints } = await open(`${world.console}compose`)
    await page.getByLabel('Messages').check()
    await page.getByLabel('Message 1', { exact: true }).fill('Be kind.')
    await page.getByLabel('Message 2', { exact: true }).fill('Hello')
    await page.getByRole('button', { name: 'Add a message' }).click()
    expect(await page.getByLabel('Role of message 3').inputValue()).toBe('assistant')
    await page.getByLabel('Message 3', { exact: true }).fill('Hi!')
    await page.getByRole('button', { name: 'Remove message 3' }).click()
    await page.getByLabel('Give up after, seconds').fill('90')
    await page.getByText('Times and callback').click()
    await page.getByLabel('Expires').fill('2099-01-02T03:04')
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Control+Enter')
    const answer = page.getByRole('region', { name: 'Answer' })
    await answer.getByText('completed').waitFor()
    const id = await answer.getByRole('link', { name: /^tkt_/ }).textContent()
    expect(await (await fetch(`${world.url}/tickets/${id}`)).json()).toMatchObject({
      expires_at: new Date('2099-01-02T03:04').toISOString(),
      event: {
        timeout_ms: 90_000,
        content: {
          messages: [
            { role: 'system', content: 'Be kind.' },
            { role: 'user', content: 'Hello' },
          ],
        },
      },
    })
    expect(complaints).toEqual([])
  })

  test('Compose stops what it has sent, and says what the server refused', async () => {
    await using world = await startWorld({ tokensPerSecond: 2 })
    const { page } = await open(`${world.console}compose`)
    await page.getByLabel('Prompt', { exact: true }).last().fill('Go on forever')
    await page.keyboard.press('Control+Enter')
    await world.simulator.waitForCall(1)
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByRole('region', { name: 'Answer' }).getByText('cancelled').first().waitFor()
    // With the proof, where there is one by then.
    await page
      .getByRole('region', { name: 'Answer' })
      .getByText(/^Cancelled( while kobold worked on it|\. kobold has stopped: )/)
      .waitFor()
    await expect.poll(() => world.simulator.generating).toBe(false)
    await page.getByLabel('Priority, -100 to 100').fill('urgent')
    await page.keyboard.press('Control+Enter')
    await page
      .getByText(/priority/i)
      .last()
      .waitFor()
    await page.getByText('The server refused: invalid_input_format').waitFor()
  })

  test('Line shows who runs and who waits, and cancels an event that is no ticket', async () => {
    await using world = await startWorld({ tokensPerSecond: 2 })
    const first = world.post('/event', { id: 'evt_first', content: 'Runs' })
    await world.simulator.waitForCall(1)
    const second = world.post('/event', { id: 'evt_second', content: 'Waits' })
    const { page, complaints } = await open(`${world.console}line`)
    await page.getByRole('button', { name: 'Cancel evt_first' }).waitFor()
    await page.getByRole('button', { name: 'Cancel evt_second' }).waitFor()
    await page.getByRole('heading', { name: 'Waiting, 1 of 1000' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.getByRole('button', { name: 'Cancel evt_second' }).click()
    expect(await second).toMatchObject({ error: 'cancelled' })
    await page.getByRole('button', { name: 'Cancel evt_first' }).click()
    await page.getByText('Cancelled. Its backend has stopped.').last().waitFor()
    expect(await first).toMatchObject({ error: 'cancelled' })
    await expect.poll(() => world.simulator.generating).toBe(false)
    await page.getByRole('heading', { name: 'Running, 0' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('Line pauses, resumes and probes a backend by its buttons, and says how far who runs is', async () => {
    await using world = await startWorld({ tokensPerSecond: 100, answer: () => 'word '.repeat(9_000) })
    // Its speed has to be learned, for a forecast.
    for (let call = 0; call < 5; call += 1)
      await world.post('/event', { content: 'Warm up', parameters: { max_tokens: 40 } })
    const running = world.post('/event', {
      id: 'evt_long',
      content: 'Go on',
      parameters: { max_tokens: 6_000 },
    })
    const { page, complaints } = await open(`${world.console}line`)
    await page.getByRole('progressbar', { name: 'How far evt_long is' }).waitFor()
    const row = page.getByRole('row').filter({ hasText: 'koboldcpp' })
    await row.getByRole('button', { name: 'Pause kobold' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('kobold is paused. What runs there goes on to its end.').waitFor()
    await row.getByText(', paused').waitFor()
    // The same place undoes it.
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
    await expect.poll(focused).toBe('Resume kobold')
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByText('kobold is back.').waitFor()
    await row.getByRole('button', { name: 'Probe kobold' }).click()
    await page.getByText(/^kobold was asked: it is (busy|ready)\.$/).waitFor()
    await page.getByRole('button', { name: 'Cancel evt_long' }).click()
    expect(await running).toMatchObject({ error: 'cancelled' })
    await page.getByText('Nothing runs and nothing waits.').waitFor()
    expect(complaints).toEqual([])
  })

  test('keys go through the rows of any screen, open them and copy of them', async () => {
    await using world = await startWorld({ answer: () => 'Blue' })
    const { page, complaints, context } = await open(`${world.console}tickets`)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: world.url })
    const ids: string[] = []
    for (const content of ['One', 'Two']) ids.unshift(String((await world.post('/tickets', { content })).id))
    const copied = async (keys: string, said: string) => {
      for (const key of keys.split(' ')) await page.keyboard.press(key)
      await page.getByText(said, { exact: true }).waitFor()
      return page.evaluate(() => navigator.clipboard.readText())
    }
    await rows(page, 2)
    await page.keyboard.press('j')
    expect(await copied('y i', 'Copied the id.')).toBe(ids[0])
    expect(await copied('y l', 'Copied the link.')).toBe(`${world.console}tickets/${ids[0]}`)
    expect(await copied('y p', 'Copied the prompt.')).toBe('Two')
    await page.keyboard.press('x')
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByText('2 selected').waitFor()
    expect(await copied('y i', 'Copied the id of 2 tickets.')).toBe(ids.join('\n'))
    const lines = await copied('y b', 'Copied it as a batch line of 2 tickets.')
    expect(
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).content),
    ).toEqual(['Two', 'One'])

    await page.goto(`${world.console}config?q=retries.attempts`)
    await page.getByRole('button', { name: 'Edit retries.attempts' }).waitFor()
    await page.keyboard.press('j')
    expect(await copied('y i', 'Copied the name.')).toBe('retries.attempts')
    expect(await copied('y v', 'Copied the value.')).toBe('3')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.getByLabel('retries.attempts', { exact: true }).count()).toBe(1)
    await page.keyboard.press('Escape')
    await page.goto(`${world.console}config`)
    await page.getByText(/^\d+ settings$/).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    const place = () => page.evaluate(() => document.activeElement?.querySelector('code')?.textContent)
    const first = await page.locator('#main tr[data-row] code').first().textContent()
    expect(await place()).toBe(first)

    await page.goto(`${world.console}line`)
    await page.getByRole('button', { name: 'Pause kobold' }).waitFor()
    await page.keyboard.press('j')
    expect(await copied('y i', 'Copied the name.')).toBe('kobold')
    // Enter opens, and never steers.
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Pause kobold' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('title, icon and bar say how many have failed, times are in UTC if one likes, an update says reload', async () => {
    await using world = await startWorld({ answer: () => 'no number', ignoreSchema: true })
    await world.post('/tickets', { content: 'One', schema: ONE })
    const { page, complaints } = await open(`${world.console}line`)
    await expect.poll(() => page.title()).toBe('(1) Line · AI Ticket')
    const icon = () => page.locator('link[rel=icon]').evaluate((link) => (link as HTMLLinkElement).href)
    await expect.poll(icon).toContain('icon-alert')
    await page.getByRole('link', { name: 'Dead letters 1 new' }).click()
    await expect.poll(() => page.title()).toBe('Dead letters · AI Ticket')
    await expect.poll(icon).not.toContain('icon-alert')

    const time = page.locator('time').first()
    expect(await time.textContent()).toMatch(/^\d\d:\d\d:\d\d$/)
    await page.keyboard.press('Shift+T')
    await expect.poll(() => time.textContent()).toMatch(/^\d\d:\d\d:\d\d UTC$/)
    const at = new Date((await time.getAttribute('datetime')) ?? '')
    expect(await time.textContent()).toBe(`${at.toISOString().slice(11, 19)} UTC`)

    let told = 0
    await page.route('**/feed*', (route) => {
      told += 1
      const hello = { now: at.toISOString(), worker: 'w', version: `0.0.${told}`, resumed: true }
      const body = `id: ${told}\nevent: hello\ndata: ${JSON.stringify(hello)}\n\n`
      return route.fulfill({ contentType: 'text/event-stream', body })
    })
    await page.reload()
    await page.getByText(/^The server is now version 0\.0\.\d/).waitFor()
    await page.unroute('**/feed*')
    await page.getByRole('button', { name: 'Reload the page' }).click()
    await page.getByText('● live').waitFor()
    expect(await page.getByText(/^The server is now version/).count()).toBe(0)
    expect(complaints).toEqual([])
  })

  test('on a phone nothing is cut, and what can be done is in reach', async () => {
    const environment = {
      AI_TICKET_CALLBACK_ALLOW: 'http://localhost:9/*',
      AI_TICKET_CALLBACK_PRIVATE: '127.0.0.1,::1',
      AI_TICKET_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 'key').toString('base64')}`,
    }
    await using world = await startWorld({ environment, answer: () => 'no number', ignoreSchema: true })
    const callback_url = `http://localhost:9/${'a-long-path/'.repeat(8)}`
    const { id } = await world.post('/tickets', { content: 'One', callback_url })
    await world.post('/event', { content: 'Two', schema: ONE })
    const { page, complaints } = await open(`${world.console}tickets`, { width: 390 })
    await rows(page, 2)
    await page.getByRole('gridcell', { name: 'completed' }).waitFor()
    const cut = await page
      .locator('tbody td:nth-child(-n+2)')
      .evaluateAll((cells) =>
        cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent),
      )
    expect(cut).toEqual([])
    for (const [path, button] of [
      ['dead', /^Replay all 1/],
      [`tickets/${id}?tab=callbacks`, /^Send again/],
      ['line', /^Pause kobold/],
    ] as const) {
      await page.goto(`${world.console}${path}`)
      const box = await page.getByRole('button', { name: button }).boundingBox()
      expect([path, box !== null && box.x >= 0 && box.x + box.width <= 390]).toEqual([path, true])
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect([path, overflow <= 0]).toEqual([path, true])
    }
    expect(complaints).toEqual([])
  })

  test('Tickets is live: rows change and come by the filter, wait below the head, and stop at a pause', async () => {
    await using world = await startWorld()
    for (let index = 0; index < 30; index += 1) await world.post('/event', SHORT)
    const { page, complaints } = await open(`${world.console}tickets?metadata.list=a`)
    await rows(page, 30)
    await page.getByText('● live').waitFor()
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))

    await world.post('/event', { ...SHORT, metadata: { list: 'b' } })
    await world.post('/event', { ...SHORT, content: 'At the top' })
    await page.getByText('At the top').waitFor()
    await rows(page, 31)

    await page.keyboard.press('Shift+G')
    await page.waitForFunction(() => scrollY > 200)
    await world.post('/event', { ...SHORT, content: 'Further down' })
    await page.getByRole('button', { name: '1 new' }).waitFor()
    await rows(page, 31)
    await page.keyboard.press('n')
    await page.getByText('Further down').waitFor()

    await page.keyboard.press('.')
    await page.getByText(/paused, as of/).waitFor()
    await world.post('/event', { ...SHORT, content: 'While it was paused' })
    // Three ticks of the feed.
    await page.waitForTimeout(800)
    expect(await page.getByText('While it was paused').count()).toBe(0)
    expect(asked).toEqual([])
    await page.keyboard.press('.')
    await page.getByText('While it was paused').waitFor()
    expect(asked).toHaveLength(1)
    expect(complaints).toEqual([])
  })

  test('Overview says what needs somebody as it happens, and leads there', async () => {
    await using world = await startWorld({ answer: () => 'no number', ignoreSchema: true })
    for (const content of ['One', 'Two']) await world.post('/tickets', { content, schema: ONE })
    const { page, complaints } = await open(world.console)
    const needs = page.getByRole('region', { name: 'Needs you' })
    const failed = needs.getByRole('listitem').filter({ hasText: '2 tickets failed since you last looked' })
    await failed.getByRole('link', { name: 'Dead letters' }).click()
    await page.getByText('2 failed tickets').waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('h')
    await needs.getByText('Nothing. All is well.').waitFor()

    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await world.post('/backends/kobold/pause', {})
    await needs.getByText(/^kobold is paused by/).waitFor()
    await page.getByRole('cell').filter({ hasText: ', paused' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await world.post('/backends/kobold/resume', {})
    await needs.getByText('Nothing. All is well.').waitFor()
    expect(asked).toEqual([])
    await page.getByRole('link', { name: '2 failed' }).click()
    await rows(page, 2)
    expect(complaints).toEqual([])
  })

  test('Overview charts what was counted, as tables too, and leads to the tickets of a time', async () => {
    await using world = await startWorld()
    for (const content of ['One', 'Two', 'Three']) await world.post('/event', { content })
    const { page, complaints } = await open(world.console)
    const chart = page.getByRole('img', { name: /^Events a minute: completed: from [\d.]+ to [1-9]/ })
    await chart.waitFor()
    const inkOf = () =>
      chart.locator('canvas').evaluate((canvas) => {
        const { width, height } = canvas as HTMLCanvasElement
        const image = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height)
        return image?.data.filter((value, place) => place % 4 === 3 && value > 0).length ?? 0
      })
    await expect.poll(inkOf).toBeGreaterThan(500)
    await page
      .getByRole('region', { name: 'Last hour' })
      .getByText(/^[\d.]+\/min$/)
      .waitFor()
    expect(await axeViolations(page)).toEqual([])

    await page.getByRole('link', { name: '24h' }).click()
    await page.waitForURL('**/console/?range=24h')
    await page.getByRole('heading', { name: 'Last 24 hours' }).waitFor()
    await page.getByRole('img', { name: /^Events a minute: completed: from [\d.]+ to 0\.\d+;/ }).waitFor()
    await page.goBack()
    await chart.waitFor()

    // Without a mouse: the table, and its links.
    const summary = page.getByText('Events a minute as a table')
    await summary.focus()
    await page.keyboard.press('Enter')
    const table = page.getByRole('region', { name: 'Events a minute', exact: true })
    const completed = page.locator('td:nth-child(2)', { hasText: /^[1-9]/ })
    const row = table.getByRole('row').filter({ has: completed }).last()
    // Ten seconds of a minute.
    const counted = Number(await row.getByRole('cell').nth(1).textContent()) / 6
    expect(await axeViolations(page)).toEqual([])
    await row.getByRole('link').focus()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/tickets?created_before=*&created_from=*')
    await rows(page, counted)
    await page.goBack()

    // By mouse: the first half of the hour has none, the second half has all.
    for (const [from, to, count] of [
      [0.05, 0.4, 0],
      [0.5, 0.999, 3],
    ] as const) {
      await chart.waitFor()
      await chart.scrollIntoViewIfNeeded()
      const box = await chart.locator('.u-over').boundingBox()
      if (box === null) throw new Error('There is no chart to drag over.')
      const y = box.y + box.height / 2
      await page.mouse.move(box.x + from * box.width, y)
      await page.mouse.down()
      await page.mouse.move(box.x + to * box.width, y, { steps: 5 })
      await page.mouse.up()
      await page.waitForURL('**/tickets?created_before=*&created_from=*')
      await rows(page, count)
      await page.goBack()
    }
    await chart.waitFor()
    await page.keyboard.press('t')
    await page.setViewportSize({ width: 320, height: 800 })
    await expect.poll(inkOf).toBeGreaterThan(200)
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    )
    expect(await axeViolations(page)).toEqual([])
    expect(complaints).toEqual([])
  })

  test('Overview counts on by itself while something happens, and asks for nothing while nothing does', async () => {
    await using world = await startWorld({ tokensPerSecond: 5 })
    const { page, complaints } = await open(world.console)
    await page.getByRole('img', { name: /^Events a minute: completed: from 0 to 0;/ }).waitFor()
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    // Nobody waits for it any more: the backend works in vain until it has stopped.
    await world.post('/tickets', { content: 'Too long', timeout_ms: 1_500, parameters: { max_tokens: 400 } })
    const needs = page.getByRole('region', { name: 'Needs you' })
    await needs.getByText(/^100 % of the events of the last 10 minutes failed/).waitFor()
    await needs.getByText('See what they failed with, and on which backend.').waitFor()
    const bar = page.getByRole('listitem').filter({ hasText: /^kobold.*abandoned/ })
    await bar.getByRole('link', { name: 'who wasted the time of kobold' }).click()
    await page.waitForURL('**/tickets?backend=kobold&wasted=true')
    await rows(page, 1)
    expect(asked.filter((path) => path === '/series')).toHaveLength(1)
    await page.goBack()
    expect(complaints).toEqual([])
  })

  test('Access says who one is, and sends a callback again that was given up', async () => {
    const replies = [410, 204]
    const receiver = createServer((_request, response) => response.writeHead(replies.shift() ?? 500).end())
    await once(receiver.listen(0, '127.0.0.1'), 'listening')
    const address = `http://localhost:${(receiver.address() as AddressInfo).port}`
    const environment = {
      AI_TICKET_API_KEYS: `operator=${KEY}`,
      AI_TICKET_CALLBACK_ALLOW: `${address}/*`,
      AI_TICKET_CALLBACK_PRIVATE: '127.0.0.1,::1',
      AI_TICKET_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 'key').toString('base64')}`,
    }
    await using world = await startWorld({ environment, key: KEY })
    const { id } = await world.post('/tickets', { content: 'Tell me', callback_url: `${address}/done` })
    const { page, complaints } = await open(world.console)
    await page.getByRole('dialog').getByLabel('API key').fill(KEY)
    await page.keyboard.press('Enter')
    const needs = page.getByRole('region', { name: 'Needs you' })
    await needs.getByText('1 callback was given up: the receivers did not take them').waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('k')
    await page.getByText('You are operator.').waitFor()
    await page.getByText('✓ you may do everything').waitFor()
    const given = page.getByRole('region', { name: 'Callbacks that were given up' })
    await given.getByRole('link', { name: String(id) }).waitFor()
    await given.getByText('gone').waitFor()
    expect(await axeViolations(page)).toEqual([])
    await given.getByRole('button', { name: `Send again: ${id}` }).press('Enter')
    await given.getByText('None was.').waitFor()
    await expect.poll(() => replies).toEqual([])
    await page.keyboard.press('g')
    await page.keyboard.press('h')
    await needs.getByText('Nothing. All is well.').waitFor()
    expect(complaints.filter((one) => !one.includes('401'))).toEqual([])
    receiver.close()
  })

  test('Config changes a setting by keyboard, which the next event obeys and a reload shows', async () => {
    await using world = await startWorld({ environment: { AI_TICKET_KEEP_DAYS: '9' } })
    await world.simulator.setFaults([{ fault: 'status', status: 500 }])
    const calls = async () => {
      const { attempts } = await world.post('/event', { content: 'One' })
      return (attempts as { endpoint: string }[]).filter(({ endpoint }) => endpoint === 'chat').length
    }
    const { page, complaints } = await open(world.console)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('c')
    await page.getByRole('heading', { name: 'Config', level: 1 }).waitFor()
    await page.getByRole('table').first().waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('/')
    await page.keyboard.type('attempts one endpoint')
    const settings = page.getByRole('region', { name: 'Settings' }).first()
    await settings.getByText('1 setting', { exact: true }).waitFor()
    await page.waitForURL('**/config?q=attempts+one+endpoint')
    const edit = page.getByRole('button', { name: 'Edit retries.attempts' })
    for (
      let press = 0;
      press < 8 && !(await edit.evaluate((one) => one === document.activeElement));
      press++
    ) {
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('Enter')
    await page.getByLabel('retries.attempts', { exact: true }).waitFor()
    await page.keyboard.press('Control+a')
    await page.keyboard.type('2')
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Enter')
    const plan = page.getByRole('region', { name: 'Will change' })
    await plan.getByText('retries.attempts: 3 → 2').waitFor()
    await expect.poll(() => edit.evaluate((one) => one === document.activeElement)).toBe(true)
    expect(await axeViolations(page)).toEqual([])
    await page.keyboard.press('Control+Enter')
    await page.getByText('1 setting changed.').waitFor()
    expect(await calls()).toBe(2)
    const history = page.getByRole('region', { name: 'Changed while it ran' }).first()
    await history.getByRole('cell', { name: '127.0.0.1' }).waitFor()

    await page.reload()
    await page.getByRole('button', { name: 'Take back retries.attempts' }).press('Enter')
    await plan.getByText('retries.attempts: 2 → what the file or the default says').waitFor()
    await plan.getByRole('button', { name: 'Leave retries.attempts as it is' }).press('Enter')
    await plan.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })

  test('Config says what waits, what is locked, and what the server refuses, and follows other tabs', async () => {
    await using world = await startWorld({ environment: { AI_TICKET_KEEP_DAYS: '9' } })
    const { page, complaints } = await open(`${world.console}config?changed=1`)
    await page.getByRole('cell', { name: 'by AI_TICKET_KEEP_DAYS alone' }).waitFor()
    await page.getByLabel('differs from the default').press('Space')
    const write = async (key: string, text: string) => {
      await page.getByRole('button', { name: `Edit ${key}`, exact: true }).press('Enter')
      await page.getByLabel(key, { exact: true }).fill(text)
      await page.getByRole('button', { name: 'Keep', exact: true }).press('Enter')
    }
    await write('drain_ms', '7')
    await write('callback_allow', '["nonsense"]')
    const plan = page.getByRole('region', { name: 'Will change' })
    await plan.getByText('drain_ms: 25000 → 7, after a restart').waitFor()
    await plan.getByRole('button', { name: /Apply 2 changes/ }).press('Enter')
    await page.getByRole('alert').getByText('callback_allow[0] in this change is a text').waitFor()
    await plan.getByRole('button', { name: 'Leave callback_allow as it is' }).press('Enter')
    await plan.getByRole('button', { name: /Apply 1 change/ }).press('Enter')
    await page.getByText('After a restart: drain_ms.').waitFor()
    expect(await axeViolations(page)).toEqual([])

    const read = await (await fetch(`${world.url}/config`)).json()
    const { revision } = read as { revision: string }
    const headers = { 'content-type': 'application/json', 'if-match': revision }
    const body = JSON.stringify({ set: { 'line.capacity': 77 } })
    expect((await fetch(`${world.url}/config`, { method: 'PATCH', headers, body })).status).toBe(200)
    const history = page.getByRole('region', { name: 'Changed while it ran' }).first()
    await history.getByRole('cell', { name: 'line.capacity' }).waitFor()
    expect(complaints.filter((one) => !one.includes('400'))).toEqual([])
  })

  test('Dead letters says what it will do, and sends all of a kind again', async () => {
    await using world = await startWorld({ answer: () => 'no number', ignoreSchema: true })
    for (const content of ['One', 'Two', 'Three']) {
      await world.post('/event', {
        content,
        schema: ONE,
      })
    }
    const before = world.simulator.calls.length
    const { page, complaints } = await open(`${world.console}tickets`)
    await rows(page, 3)
    await page.keyboard.press('g')
    await page.keyboard.press('d')
    await page.getByRole('button', { name: 'Replay all 3' }).click()
    const dialog = page.getByRole('dialog', { name: 'Send 3 tickets again?' })
    expect(await axeViolations(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Send again' }).click()
    await page.getByText('3 tickets sent again.').waitFor()
    await expect.poll(() => world.simulator.calls.length).toBeGreaterThanOrEqual(before + 3)
    await page.getByRole('link', { name: 'output_schema_mismatch' }).click()
    await page.waitForURL('**/tickets?*error=output_schema_mismatch&status=failed')
    expect(complaints).toEqual([])
  })

  test('axe finds nothing on any screen, in any theme, wide and narrow', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'One', model: 'none such' })
    const { id } = await world.post('/tickets', { content: 'Two' })
    const paths = [
      '',
      'tickets',
      'tickets?status=cancelled',
      `tickets/${id}`,
      `tickets/${id}?tab=raw`,
      'tickets/none',
      `compare/${id}/${id}`,
      'access',
      'config',
      'x',
    ]
    for (const width of [1280, 320]) {
      const { page } = await open(world.console, { width })
      for (const path of paths) {
        await page.goto(`${world.console}${path}`)
        await page.locator('h1, [role=alert]').first().waitFor()
        // The themes have the same places, and the places the same colours.
        for (const theme of width === 320 ? ['light'] : THEMES) {
          await page.evaluate((name) => document.documentElement.setAttribute('data-theme', name), theme)
          expect([path, width, theme, await axeViolations(page)]).toEqual([path, width, theme, []])
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect([path, width, overflow <= 0]).toEqual([path, width, true])
      }
      await page.close()
    }
  })

  test('takes the pictures of the docs', async () => {
    await using world = await startWorld({
      environment: { AI_TICKET_CONSOLE_LABEL: 'prod', AI_TICKET_HISTORY: 'full' },
      tokensPerSecond: 200,
    })
    for (const prompt of PROMPTS) await world.post('/event', { content: prompt })
    const { id } = await world.post('/tickets', {
      content: 'Summarise the minutes of Monday in three sentences.',
    })
    const { page, complaints } = await open(`${world.console}tickets`)
    await rows(page, PROMPTS.length + 1)
    const shots = [await page.screenshot()]
    await page.goto(`${world.console}tickets/${id}`)
    await page.getByRole('heading', { level: 1 }).locator('..').getByText('completed').waitFor()
    shots.push(await page.screenshot())
    await world.post('/event', { content: 'Which of these?', timeout_ms: 1 })
    await page.goto(world.console)
    await page.getByRole('img', { name: /^Events a minute: completed: from [\d.]+ to [1-9]/ }).waitFor()
    await page.getByRole('region', { name: 'Needs you' }).getByRole('listitem').first().waitFor()
    shots.push(await page.screenshot())
    await page.goto(`${world.console}config?q=retries`)
    await page.getByRole('button', { name: 'Edit retries.attempts' }).click()
    await page.getByLabel('retries.attempts', { exact: true }).fill('5')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Will change' }).getByText('retries.attempts: 3 → 5').waitFor()
    shots.push(await page.screenshot())
    expect(complaints).toEqual([])
    // Rewritten only when asked to: each run has other times in them.
    if (process.env.CONSOLE_PICTURES !== '1') return
    await mkdir(IMAGES, { recursive: true })
    const names = ['console-tickets.png', 'console-ticket.png', 'console-overview.png', 'console-config.png']
    await Promise.all(shots.map((shot, index) => writeFile(`${IMAGES}${names[index]}`, shot)))
  })
})

const SHORT = { content: 'Short', metadata: { list: 'a' } }

const PROMPTS = [
  'Sort this mail: invoice, complaint or question?',
  'Name three risks of the plan below.',
  'Translate the notice for the door into French.',
  'Which of these two answers is more polite?',
  'Write a title for the report of the week.',
]
