import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  chromiumPath,
  needsChromium,
  openBrowser,
  rows,
  screensOf,
  startWorld,
  type World,
  watchedPage,
} from '../test/console-world.ts'
import { startProxy } from '../test/proxy.ts'

describe.skipIf(chromiumPath === undefined)(`payloads are text${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (url: string, bypassCSP: boolean) => {
    const context = await browser.newContext({ bypassCSP })
    context.setDefaultTimeout(30_000)
    const watched = await watchedPage(context, new URL(url).origin)
    await watched.page.goto(url)
    return { ...watched, [Symbol.asyncDispose]: () => context.close() }
  }

  test.each([true, false])('of callers and models, policy off: %s', async (bypassCSP) => {
    await using world = await startWorld({ answer: ({ text }) => text })
    const ids: string[] = []
    for (let from = 0; from < PAYLOADS.length; from += 50) {
      const text = PAYLOADS.slice(from, from + 50).join('\n')
      const turns = [
        { role: 'system', content: text },
        { role: 'user', content: text },
      ]
      const { id } = await world.post('/tickets', {
        id: text.slice(0, 200),
        content: { messages: turns },
        metadata: { [text]: text },
        schema: { type: 'string', description: text, enum: [text] },
      })
      ids.push(String(id))
      await world.post('/event', { content: text, backend: text.slice(0, 100), model: text.slice(0, 100) })
    }
    expect(PAYLOADS.length).toBeGreaterThanOrEqual(200)
    await using at = await open(`${world.console}tickets`, bypassCSP)
    await rows(at.page, ids.length * 2)
    await lookAtAll(at.page, world.console, ids)
    for (const path of [
      `tickets?text=${encodeURIComponent(PAYLOADS[0] ?? '')}`,
      `tickets?metadata.x=${encodeURIComponent(PAYLOADS[3] ?? '')}`,
      `config?q=${encodeURIComponent(PAYLOADS[2] ?? '')}`,
      `tickets/${encodeURIComponent(PAYLOADS[5] ?? '')}`,
      encodeURIComponent(PAYLOADS[1] ?? ''),
    ]) {
      await at.page.goto(`${world.console}${path}`)
      await isHarmless(at.page)
    }
    expect(expected(at.complaints)).toEqual([])
  })

  test.each([true, false])(
    'of receivers, files, models’ names, and those who run the server, policy off: %s',
    async (bypassCSP) => {
      const receiver = createServer((_request, response) => response.writeHead(410, 'payload').end(ALL))
      await once(receiver.listen(0, '127.0.0.1'), 'listening')
      const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
      await using world = await startWorld({
        model: ALL,
        environment: (folder) => ({
          AI_TICKET_CALLBACK_ALLOW: `${address}/*`,
          AI_TICKET_CALLBACK_PRIVATE: '127.0.0.1',
          AI_TICKET_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 'key').toString('base64')}`,
          AI_TICKET_CONSOLE_LABEL: ALL,
          AI_TICKET_CONSOLE_THEME: folder,
          AI_TICKET_WORKER: ALL,
        }),
        fill: (folder) => writeFile(join(folder, 'name.txt'), ALL),
      })
      const { id: refused } = await world.post('/tickets', {
        content: 'Refused',
        callback_url: `${address}/`,
      })
      await expect.poll(() => deadCallbacks(world)).toBe(1)
      for (const payload of PAYLOADS)
        await world.post('/tickets', {
          content: 'Tell',
          callback_url: `${address}/${payload}?${payload}#${payload}`,
        })
      await world.simulator.setFaults([{ fault: 'status', status: 500, body: ALL }])
      const { id: failed } = await world.post('/tickets', { content: 'Fails', model: 'one' })
      await using at = await open(`${world.console}tickets`, bypassCSP)
      await at.page.getByText('One').first().waitFor()
      await lookAtAll(at.page, world.console, [String(refused), String(failed)])
      expect(expected(at.complaints)).toEqual([])
      receiver.close()
    },
  )

  test.each([true, false])('in every text of every answer of the API, policy off: %s', async (bypassCSP) => {
    await using world = await startWorld({ answer: () => 'no number', ignoreSchema: true })
    const ids: string[] = []
    for (const content of ['One', 'Two']) {
      const { id } = await world.post('/tickets', {
        content,
        metadata: { order: '4711' },
        schema: { type: 'object', required: ['n'] },
      })
      ids.push(String(id))
    }
    const used = new Set<string>()
    await using proxy = await startProxy({
      port: Number(new URL(world.url).port),
      change: (value) => poisoned(value, used),
    })
    const url = `http://127.0.0.1:${proxy.port}/console/`
    await using at = await open(`${url}tickets`, bypassCSP)
    await rows(at.page, ids.length)
    await lookAtAll(at.page, url, ids)
    expect(used.size).toBe(PAYLOADS.length)
    expect(expected(at.complaints)).toEqual([])
  })
})

/** The browser notes each of these itself. */
const expected = (complaints: readonly string[]) => complaints.filter((one) => !/status of 40[04]/.test(one))

/** What a program goes by; all other texts are for people. */
const KEPT =
  /^(object|kind|status|id|hand|replay_of|scopes|next_cursor|revision|phase|.*_at|now|from|to|t|type|origin|schema|key)$/

let turn = 0

/** The same, with a payload in the place of every text that is for people, and in names of metadata. */
function poisoned(value: unknown, used: Set<string>): unknown {
  const next = () => {
    const payload = PAYLOADS[turn++ % PAYLOADS.length] ?? ''
    used.add(payload)
    return payload
  }
  const walk = (one: unknown, name: string): unknown => {
    if (typeof one === 'string') return KEPT.test(name) ? one : next()
    if (Array.isArray(one)) return one.map((item) => walk(item, name))
    if (typeof one !== 'object' || one === null) return one
    return Object.fromEntries(
      Object.entries(one).map(([key, item]) => [name === 'metadata' ? next() : key, walk(item, key)]),
    )
  }
  return walk(value, '')
}

/** Every screen, every tab of these tickets, and whatever opens over them. */
async function lookAtAll(page: Page, url: string, ids: readonly string[]): Promise<void> {
  const settled = () =>
    page.waitForFunction(() => document.querySelector('main [aria-busy=true], main > :empty') === null)
  for (const path of await screensOf(page)) {
    await page.goto(new URL(path, url).href)
    await page.locator('h1').first().waitFor()
    await settled()
    for (const summary of await page.locator('main summary').all()) await summary.click()
    await isHarmless(page)
  }
  for (const id of ids) {
    await page.goto(`${url}tickets/${id}`)
    // Of a ticket without an answer it has no height.
    await page.getByRole('tabpanel').waitFor({ state: 'attached' })
    for (const key of ['1', '2', '3', '4', '5', '6']) {
      await page.keyboard.press(key)
      await page.getByRole('tab', { selected: true }).waitFor()
      await settled()
      await isHarmless(page)
    }
  }
  await page.keyboard.press('e')
  await page.getByRole('dialog').waitFor()
  await isHarmless(page)
  await page.keyboard.press('Escape')
  await page.goto(`${url}compare/${ids[0]}/${ids[1] ?? ids[0]}`)
  await page.getByRole('region', { name: 'Prompt' }).waitFor()
  await isHarmless(page)
  await page.goto(`${url}tickets`)
  await page.locator('tbody tr[data-id]').first().waitFor()
  await page.keyboard.press('p')
  for (const press of ['j', 'Space']) await page.keyboard.press(press)
  await page.getByRole('region', { name: 'Peek' }).getByRole('heading', { name: 'Prompt' }).waitFor()
  await isHarmless(page)
  for (const [opens, name] of [
    ['Control+k', 'Go or do'],
    ['?', 'Keys'],
  ] as const) {
    await page.keyboard.press(opens)
    await page.getByRole('dialog', { name }).waitFor()
    await isHarmless(page)
    await page.keyboard.press('Escape')
  }
  await page.keyboard.press('p')
}

/** Nothing has run, and nothing on the page could. The samples of the charts' legends are the console's own. */
async function isHarmless(page: Page): Promise<void> {
  const found = await page.evaluate(() => [
    ...('pwned' in window ? ['it ran'] : []),
    ...[...document.querySelectorAll('body *')].flatMap((one) => [
      ...(one.matches(
        'iframe, object, embed, base, svg:not([class*=_sample_]), form[action], link, meta, style, script:not([src])',
      )
        ? [one.outerHTML.slice(0, 200)]
        : []),
      ...one.getAttributeNames().filter((name) => name.startsWith('on')),
      ...(one instanceof HTMLAnchorElement && !['http:', 'https:', 'blob:'].includes(one.protocol)
        ? [one.href]
        : []),
      ...(one instanceof HTMLImageElement && new URL(one.src).origin !== location.origin ? [one.src] : []),
    ]),
  ])
  expect([page.url(), found]).toEqual([page.url(), []])
}

async function deadCallbacks({ url }: World): Promise<number> {
  const body = (await (await fetch(`${url}/callbacks?status=dead`)).json()) as { data: readonly object[] }
  return body.data.length
}

/** What runs, where it may end up, and how it may be dressed. */
const VECTORS = [
  '<script>pwned=1</script>',
  '<img src=x onerror=pwned=1>',
  '<svg onload=pwned=1>',
  '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
  '<iframe src="javascript:parent.pwned=1"></iframe>',
  '<body onload=pwned=1>',
  '<details open ontoggle=pwned=1>',
  '<input autofocus onfocus=pwned=1>',
  '<a href="javascript:pwned=1">x</a>',
  '<math><mtext><style><img src onerror=pwned=1></style></mtext></math>',
  '<base href="https://evil.example/">',
  '<meta http-equiv=refresh content="0;url=https://evil.example/">',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<object data="https://evil.example/"></object>',
  '<form action=https://evil.example/><button autofocus>x</button></form>',
  '<style>@import url(https://evil.example/x.css)</style>',
  '{{constructor.constructor("pwned=1")()}}',
  '$'.concat('{pwned=1}'),
  'javascript:pwned=1//',
  'data:text/html,<script>pwned=1</script>',
]
const BREAKS = [
  '',
  '">',
  "'>",
  '</script>',
  '</textarea>',
  '</title></style>',
  '-->',
  ']]>',
  '\\u003c',
  '\u202e',
  '\u0000',
]
const PAYLOADS = VECTORS.flatMap((vector) => BREAKS.map((prefix) => `${prefix}${vector}`))

/** All of them as one text, but for what no variable of the environment and no header can hold. */
const ALL = PAYLOADS.join(' ').replaceAll('\u0000', '')
