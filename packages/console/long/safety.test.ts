import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describedApi } from '../../server/test/described-api.ts'
import {
  busiestTaskMs,
  chromiumPath,
  needsChromium,
  openBrowser,
  screensOf,
  startWorld,
  type World,
  watchedPage,
} from '../test/console-world.ts'

const FOREIGN_NAME = 'evil.example'
const KEY = 'sk-the-key-of-the-operator-4711'
const CHANGES = ['post', 'put', 'patch', 'delete']
const MB = 1_024 ** 2

describe.skipIf(chromiumPath === undefined)(`the console among strangers${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser([FOREIGN_NAME])
  })
  afterAll(() => browser?.close())

  test.each([FOREIGN_NAME, '127.0.0.1'])(
    'a page of %s, at another port, changes nothing on a server without keys',
    async (host) => {
      await using world = await startWorld({ tokensPerSecond: 2, answer: () => 'word '.repeat(4_000) })
      await using strangers = await openPage('<!doctype html><title>Stranger</title>')
      const { id } = await world.post('/tickets', { content: 'Runs', parameters: { max_tokens: 2_000 } })
      await world.simulator.waitForCall(1)
      const before = await stateOf(world)
      const page = await browser.newPage()
      await page.goto(`http://${host}:${strangers.port}/`)
      const changes = operations().map(({ method, path }) => ({
        method,
        url: `${world.url}${path.replace('{name}', 'kobold').replace(/\{\w+\}/g, String(id))}`,
      }))
      expect(changes.length).toBeGreaterThan(10)
      // Nothing of an answer can be read from there, but a request that arrives may do its work.
      await page.evaluate(async (all) => {
        for (const { method, url } of all) {
          for (const type of ['text/plain', 'application/json'])
            for (const mode of ['no-cors', 'cors'] as const)
              await fetch(url, {
                method,
                mode,
                body: '{"content":"x","ids":[]}',
                headers: { 'content-type': type },
              }).catch(() => {})
          await fetch(url, { method, mode: 'no-cors' }).catch(() => {})
          navigator.sendBeacon(url, '{"content":"x"}')
        }
      }, changes)
      await submitForms(
        page,
        changes.filter(({ method }) => method === 'POST').map(({ url }) => url),
      )
      expect(await stateOf(world)).toEqual(before)
      await page.close()
    },
  )

  test('the key is in no address, body, log, page, copy or storage but that of the tab', async () => {
    const environment = { AI_TICKET_API_KEYS: `operator=${KEY}` }
    await using world = await startWorld({ environment, key: KEY })
    const { id } = await world.post('/tickets', { content: 'Copy me' })
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    context.setDefaultTimeout(30_000)
    const { page, complaints } = await watchedPage(context, world.url)
    const sent: string[] = []
    context.on('request', (request) => sent.push(request.url(), request.postData() ?? ''))
    await page.goto(`${world.console}tickets/${id}`)
    await page.getByRole('textbox', { name: 'API key' }).fill(KEY)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1 }).locator('..').getByText('completed').waitFor()
    const traces: string[] = []
    for (const letter of ['l', 'i', 'p', 'a', 'c', 't', 'b']) {
      await page.keyboard.press('y')
      await page.keyboard.press(letter)
      await page.getByText(/^Copied/).waitFor()
      traces.push(await page.evaluate(() => navigator.clipboard.readText()))
    }
    expect(traces.join()).toContain('Bearer $AI_TICKET_KEY')
    for (const screen of await screensOf(page)) {
      await page.goto(`${world.url}${screen}`)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      traces.push(...(await tracesIn(page)))
    }
    for (const trace of [...traces, ...sent, world.log(), ...complaints]) expect(trace).not.toContain(KEY)
    expect(await page.evaluate(() => Object.values({ ...sessionStorage }))).toContain(KEY)
    await context.close()
  })

  test('an answer of 4 MB keeps the page busy for less than 100 ms at a time', async () => {
    await using world = await startWorld()
    const { id } = await world.post('/tickets', { content: 'All of it' })
    const page = await browser.newPage()
    page.setDefaultTimeout(30_000)
    // A model that writes so much takes hours.
    await page.route(`${world.url}/tickets/${id}`, async (route) => {
      const response = await route.fetch()
      const ticket = await response.json()
      const completion = `${'x'.repeat(99)}\n`.repeat((4 * MB) / 100)
      await route.fulfill({ response, json: { ...ticket, outcome: { ...ticket.outcome, completion } } })
    })
    await page.goto(`${world.console}tickets`)
    await page.getByText('completed').first().waitFor()
    await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] })
    await page.locator('tbody tr[data-id]').click()
    await page.getByRole('tabpanel').getByText('Show more: 3.9 MB left').waitFor()
    for (const tab of ['6', '5', '2']) {
      await page.keyboard.press(tab)
      await page.getByRole('tab', { selected: true }).waitFor()
    }
    await page.getByRole('button', { name: /^Show more/ }).click()
    await page.getByRole('tabpanel').locator('pre').nth(1).waitFor()
    const busiest = busiestTaskMs(await browser.stopTracing())
    expect(busiest).toBeGreaterThan(1)
    expect(busiest).toBeLessThan(100)
    expect(page.url()).toContain(String(id))
    await page.close()
  })
})

/** Every operation that changes something. */
const operations = (): readonly { readonly method: string; readonly path: string }[] =>
  Object.entries(describedApi().document.paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => CHANGES.includes(method))
      .map((method) => ({ method: method.toUpperCase(), path })),
  )

/** What a change would show in. */
async function stateOf({ url, simulator }: World): Promise<object> {
  const read = async <Body>(path: string) => (await (await fetch(`${url}${path}`)).json()) as Body
  const { data } = await read<{ data: { id: string; status: string }[] }>('/tickets?view=row')
  const { backends } = await read<{ backends: { paused?: object }[] }>('/backends')
  return {
    tickets: data.map(({ id, status }) => [id, status]),
    paused: backends.map(({ paused }) => paused),
    calls: simulator.calls.length,
    aborts: simulator.aborts.length,
  }
}

/** A form needs no permission of the other side either. */
async function submitForms(page: Page, urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    await page.evaluate((action) => {
      const frame = Object.assign(document.createElement('iframe'), { name: 'sink' })
      const form = Object.assign(document.createElement('form'), { action, method: 'post', target: 'sink' })
      form.enctype = 'text/plain'
      form.append(Object.assign(document.createElement('input'), { name: '{"content":"x', value: '"}' }))
      document.body.replaceChildren(frame, form)
      return new Promise((loaded) => {
        frame.addEventListener('load', loaded, { once: true })
        form.submit()
      })
    }, url)
  }
}

async function openPage(html: string): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(html),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

/** Every place of a page that keeps something, but the storage of the tab. */
const tracesIn = (page: Page): Promise<readonly string[]> =>
  page.evaluate(async () => [
    location.href,
    document.documentElement.outerHTML,
    document.title,
    document.cookie,
    window.name,
    JSON.stringify(history.state),
    JSON.stringify({ ...localStorage }),
    JSON.stringify(await indexedDB.databases()),
    JSON.stringify(await caches.keys()),
    JSON.stringify(await navigator.locks.query()),
    JSON.stringify(performance.getEntries()),
    [...document.querySelectorAll('input, textarea')]
      .map((field) => (field as HTMLInputElement).value)
      .join(),
  ])
