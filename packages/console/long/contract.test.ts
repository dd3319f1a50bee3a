import type { Browser, Page, Request, Response } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Described, describedApi } from '../../server/test/described-api.ts'
import {
  chromiumPath,
  needsChromium,
  ONE,
  openBrowser,
  screensOf,
  startWorld,
  statusOf,
  type World,
  watchedPage,
} from '../test/console-world.ts'

const KEYS = { sender: 'sk-that-sends', reader: 'sk-that-reads', operator: 'sk-that-does-all' } as const
const SCOPES = { sender: 'events', reader: 'read', operator: 'admin' } as const
const CONSOLE = /^\/console(\/|$)/

describe.skipIf(chromiumPath === undefined)(`what the console asks${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test('every button asks for an operation, and every answer is as the description says', async () => {
    await using world = await startWorld({
      tokensPerSecond: 20,
      answer: () => 'no number',
      ignoreSchema: true,
    })
    const failed = await world.post('/tickets', { content: 'Fails', schema: ONE })
    await expect.poll(() => statusOf(world, failed.id)).toBe('failed')
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    context.setDefaultTimeout(30_000)
    const { page, complaints } = await watchedPage(context, world.url)
    const asked = watchApi(page)
    await page.goto(world.console)
    for (const path of [...(await screensOf(page)), `/console/tickets/${failed.id}?tab=callbacks`])
      await pressAll(page, `${world.url}${path}`)
    const [requests, problems] = await asked.problems()
    expect(problems).toEqual([])
    expect(requests).toEqual(expect.arrayContaining(EXPECTED))
    for (const feed of new Set(asked.feeds())) await checkFeed(feed)
    // A page that is left stops its questions; a ticket that was cancelled twice is a conflict.
    expect(complaints.filter((one) => !/status of 4(00|04|09|10)/.test(one))).toEqual([])
    await context.close()
  })

  test.each(['sender', 'reader', 'operator'] as const)(
    'with the key of the %s every screen works, or names the scope that is missing',
    async (name) => {
      const list = Object.entries(KEYS).map(([who, key]) => `${who}:${SCOPES[who as 'sender']}=${key}`)
      const environment = { AI_TICKET_API_KEYS: list.join(',') }
      await using world = await startWorld({ environment, key: KEYS.sender })
      const { id } = await world.post('/tickets', { content: 'Mine' })
      const context = await browser.newContext()
      context.setDefaultTimeout(30_000)
      const { page, complaints } = await watchedPage(context, world.url)
      await page.goto(`${world.console}tickets/${id}`)
      await page.getByRole('textbox', { name: 'API key' }).fill(KEYS[name])
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1 }).locator('..').getByText('completed').waitFor()
      await page.keyboard.press('r')
      const notice = page.locator('[role=status] p').filter({ hasText: /Sent again|scope/ })
      await notice.waitFor()
      // Its own tickets a sender may replay; a reader only reads.
      expect(await notice.textContent()).toMatch(name === 'reader' ? /scope `/ : /Sent again|scope `/)
      for (const path of await screensOf(page)) {
        await page.goto(`${world.url}${path}`)
        await page.locator('h1').first().waitFor()
        await page.waitForFunction(() => document.querySelector('main [aria-busy=true]') === null)
        const alerts = await page.getByRole('alert').filter({ hasText: /\w/ }).allTextContents()
        expect(alerts.filter((words) => !/scope `(events|read|admin)`/.test(words))).toEqual([])
        if (name === 'operator') expect([path, alerts]).toEqual([path, []])
        if (name === 'sender' && path.endsWith('/tickets')) expect(alerts.join()).toContain('scope `read`')
      }
      // The browser itself notes each 401 and 403.
      expect(complaints.filter((one) => !/status of 40[13]/.test(one))).toEqual([])
      await context.close()
    },
  )

  test('what the screens say agrees with /metrics', async () => {
    await using world = await startWorld({
      tokensPerSecond: 2,
      answer: LONG,
      ignoreSchema: true,
    })
    await world.post('/event', { content: 'Fails', schema: ONE, parameters: { max_tokens: 1 } })
    await world.post('/tickets', { content: 'Runs', parameters: { max_tokens: 2_000 } })
    await world.simulator.waitForCall(2)
    const waits = Promise.allSettled([
      world.post('/event', { content: 'Waits' }),
      world.post('/event', { content: 'Waits, too' }),
    ])
    const page = await browser.newPage()
    page.setDefaultTimeout(30_000)
    await page.goto(world.console)
    const tickets = page.getByRole('region', { name: 'Tickets' })
    await tickets.waitFor()
    for (const status of ['queued', 'in_progress', 'completed', 'failed', 'cancelled']) {
      const word = status === 'in_progress' ? 'running' : status
      const metric = new RegExp(`^ai_ticket_tickets\\{[^}]*status="${status}"[^}]*\\} (\\d+)`, 'm')
      await expect
        .poll(async () => {
          const [, count] = metric.exec(await metrics(world)) ?? []
          const shown = await tickets.getByRole('link', { name: new RegExp(`${word}$`) }).textContent()
          return count !== undefined && Number.parseInt(shown ?? '', 10) === Number(count)
        })
        .toBe(true)
    }
    await page.goto(`${world.console}line`)
    await page.getByRole('heading', { name: 'Waiting, 2 of 1000' }).waitFor()
    expect(await metrics(world)).toMatch(/^ai_ticket_line_length(\{\})? 2$/m)
    await page.close()
    await world.kill('SIGKILL')
    await waits
  })
})

/** So that it does not end while somebody looks. */
const LONG = () => 'word '.repeat(4_000)

/** What the buttons of today ask for, at least. */
const EXPECTED = [
  'GET /tickets',
  'GET /tickets/{id}',
  'GET /tickets/{id}/callbacks',
  'POST /tickets/{id}/replay',
  'GET /me',
  'GET /callbacks',
  'GET /feed',
]

function watchApi(page: Page) {
  const responses: Response[] = []
  const requests: Request[] = []
  const isApi = (request: Request) => !CONSOLE.test(new URL(request.url()).pathname)
  page.on(
    'request',
    (request) => isApi(request) && request.url().startsWith('http') && requests.push(request),
  )
  page.on('response', (response) => isApi(response.request()) && responses.push(response))
  return {
    feeds: () =>
      responses.flatMap((response) => (pathOf(response).endsWith('/feed') ? [response.url()] : [])),
    async problems(): Promise<readonly [readonly string[], readonly string[]]> {
      const named = requests.map(operationOf)
      const unknown = named.filter((name) => name.includes('undefined'))
      const wrong = await Promise.all(responses.map(problemOf))
      return [named, [...unknown, ...wrong.filter((one) => one !== undefined)]]
    },
  }
}

const pathOf = (response: Response | Request): string => new URL(response.url()).pathname

function operationOf(request: Request): string {
  const { document, pathOf: addressOf } = describedApi()
  const address = addressOf(pathOf(request))
  const method = request.method()
  const isKnown = address !== undefined && document.paths[address]?.[method.toLowerCase()] !== undefined
  return `${method} ${isKnown ? address : `undefined: ${request.url()}`}`
}

/** Of a stream, only the status: it may go on. Of a page that was left, the browser has no body any more. */
async function problemOf(response: Response): Promise<string | undefined> {
  const isStream = (response.headers()['content-type'] ?? '').startsWith('text/event-stream')
  const body: unknown = isStream ? undefined : await response.json().catch(() => undefined)
  const [request, status] = [response.request(), response.status()]
  const problems = problemsOf({ method: request.method(), path: pathOf(request), status, body })
  return problems.length === 0 ? undefined : `${operationOf(request)} ${status}: ${problems.join(', ')}`
}

interface Answered {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Undefined: not known. */
  readonly body: unknown
}

function problemsOf({ method, path, status, body }: Answered): readonly string[] {
  const { document, pathOf: addressOf, problems } = describedApi()
  const [address = '', verb] = [addressOf(path), method.toLowerCase()]
  const operation: Described | undefined = document.paths[address]?.[verb]
  if (operation === undefined) return ['there is no such operation']
  const given = operation.responses[status]
  if (given === undefined) return [`the status is not among ${Object.keys(operation.responses).join(', ')}`]
  if (body === undefined) return []
  const shared = given.$ref?.split('/').at(-1)
  const at =
    shared === undefined
      ? ['paths', address, verb, 'responses', `${status}`]
      : ['components', 'responses', shared]
  return problems('response', [...at, 'content', 'application/json', 'schema'], body)
}

/** The same feed as the page reads, until it has told the line. */
async function checkFeed(url: string): Promise<void> {
  const leaving = new AbortController()
  const response = await fetch(url, { signal: leaving.signal })
  let body = ''
  if (response.body === null) throw new Error('The feed has no body.')
  const isWhole = !url.includes('only=ticket')
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    body += text
    if (body.includes(isWhole ? 'event: line' : 'event: hello') && body.endsWith('\n\n')) break
  }
  leaving.abort()
  for (const block of body.split('\n\n')) {
    const [, name] = /^event: (.*)$/m.exec(block) ?? []
    const [, data] = /^data: (.*)$/m.exec(block) ?? []
    if (name === undefined || data === undefined) continue
    const at = ['paths', '/feed', 'get', 'responses', '200', 'content', 'text/event-stream', 'x-events', name]
    expect([name, describedApi().problems('response', at, JSON.parse(data))]).toEqual([name, []])
  }
}

/** Presses every button of a screen, each on a page as it was; what opens a dialog gets its first answer. */
async function pressAll(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction(() => document.querySelector('main [aria-busy=true]') === null)
  const count = await page.locator('main button:enabled').count()
  for (let index = 0; index < count; index += 1) {
    const button = page.locator('main button:enabled').nth(index)
    if ((await button.count()) === 0) break
    await button.click({ timeout: 5_000 }).catch(() => {})
    const answer = page.locator('dialog[open] button').first()
    if ((await answer.count()) > 0) await answer.click()
    await page.waitForFunction(() => document.querySelector('main [aria-busy=true]') === null)
    await page.goto(url)
    await page.waitForFunction(() => document.querySelector('main [aria-busy=true]') === null)
  }
}

const metrics = async ({ url }: World): Promise<string> => (await fetch(`${url}/metrics`)).text()
