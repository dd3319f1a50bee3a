import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations } from '../test/axe.ts'
import {
  chromiumPath,
  focusIsOn,
  needsChromium,
  openBrowser,
  rows,
  startWorld,
  tabTo,
  watchedPage,
  watchFocus,
} from '../test/console-world.ts'

const THEMES = ['light', 'dark', 'contrast-light', 'contrast-dark']
const KEY = 'sk-the-key-of-the-operator'

describe.skipIf(chromiumPath === undefined)(`palette, keys and comparing${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (url: string) => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    context.setDefaultTimeout(15_000)
    const watched = await watchedPage(context, new URL(url).origin)
    const lostFocus = await watchFocus(watched.page)
    await watched.page.goto(url)
    return { ...watched, context, lostFocus }
  }

  test('the palette finds screens, actions, pinned views, tickets and texts, and gives the focus back', async () => {
    await using world = await startWorld()
    const { id } = await world.post('/tickets', { content: 'The needle' })
    await world.post('/event', { content: 'Hay' })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets?text=needle`)
    await rows(page, 1)
    await page.keyboard.press('p')
    await page
      .getByRole('navigation', { name: 'Pinned views' })
      .getByRole('link', { name: 'needle' })
      .waitFor()
    await page.keyboard.press('j')
    const palette = page.getByRole('dialog', { name: 'Go or do' })

    await page.keyboard.press('Control+k')
    await palette.waitFor()
    await axeInAllThemes(page)
    await page.keyboard.press('Escape')
    await focusIsOn(page, 'The needle')

    await choose(page, 'dead')
    await page.getByRole('heading', { name: 'Dead letters' }).waitFor()
    await choose(page, 'theme')
    await expect
      .poll(() => page.evaluate(() => localStorage.getItem('ai-ticket-console-theme')))
      .toBe('light')
    await choose(page, `  ${world.console}tickets/${id} `)
    await page.waitForURL(`**/tickets/${id}`)
    await page.getByRole('region', { name: 'Story' }).waitFor()
    await choose(page, 'copy id')
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(id)
    await choose(page, 'pinned needle')
    await page.waitForURL('**/tickets?text=needle')
    await page.keyboard.press('Control+k')
    await page.keyboard.type('Hay')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/tickets?text=Hay')
    await choose(page, 'probe kobold')
    await page.getByText('kobold was asked: it is ready.').waitFor()
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('a key can be changed to one that is free, kept, and given back', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'One' })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets`)
    await rows(page, 1)
    await page.keyboard.press('?')
    const help = page.getByRole('dialog', { name: 'Keys' })
    await help.waitFor()
    await axeInAllThemes(page)
    await tabTo(page, 'Change the keys: Next theme')
    await page.keyboard.press('Enter')
    await help.getByLabel('New keys: Next theme').waitFor()
    for (const press of ['g', 'h', 'Enter']) await page.keyboard.press(press)
    await help.getByText('These are the keys of: Overview').waitFor()
    for (const press of ['Backspace', 'Backspace', 'Alt+t', 'Enter']) await page.keyboard.press(press)
    await help.getByText('Alt T').waitFor()
    await focusIsOn(page, 'Change')
    await page.keyboard.press('Escape')
    await help.waitFor({ state: 'detached' })

    const theme = () => page.evaluate(() => localStorage.getItem('ai-ticket-console-theme'))
    await page.keyboard.press('t')
    expect(await theme()).toBe(null)
    await page.keyboard.press('Alt+t')
    expect(await theme()).toBe('light')
    await page.reload()
    await rows(page, 1)
    await page.keyboard.press('Alt+t')
    expect(await theme()).toBe('dark')

    await page.keyboard.press('?')
    await tabTo(page, 'Reset the keys: Next theme')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    await page.keyboard.press('t')
    expect(await theme()).toBe('contrast-light')
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('no key works while somebody types or an input method composes', async () => {
    await using world = await startWorld()
    await world.post('/event', { content: 'One' })
    const { page } = await open(`${world.console}tickets`)
    await rows(page, 1)
    const theme = () => page.evaluate(() => localStorage.getItem('ai-ticket-console-theme'))
    const send = (init: { readonly isComposing?: boolean }) =>
      page.evaluate((given) => {
        const target = document.activeElement ?? document.body
        target.dispatchEvent(
          new KeyboardEvent('keydown', { key: 't', code: 'KeyT', bubbles: true, ...given }),
        )
      }, init)
    await send({ isComposing: true })
    expect(await theme()).toBe(null)
    await page.keyboard.press('/')
    await page.keyboard.type('txjk.')
    expect(await theme()).toBe(null)
    expect(await page.getByLabel('Search', { exact: true }).inputValue()).toBe('txjk.')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await send({})
    expect(await theme()).toBe('light')
  })

  test('Space peeks, the row follows, and [ ] go through the list that was left', async () => {
    await using world = await startWorld()
    for (const content of ['First', 'Second', 'Third']) await world.post('/event', { content })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets`)
    await rows(page, 3)
    await page.keyboard.press('j')
    await page.keyboard.press('Space')
    const peek = page.getByRole('region', { name: 'Peek' })
    await peek.getByText('Third').waitFor()
    await axeInAllThemes(page)
    await page.keyboard.press('j')
    await peek.getByText('Second').waitFor()
    await page.keyboard.press('x')
    await page.getByText('1 selected').waitFor()
    await page.keyboard.press('Shift+J')
    await page.getByText('2 selected').waitFor()
    await peek.getByText('First').waitFor()
    await page.keyboard.press('Escape')
    await peek.waitFor({ state: 'detached' })
    await page.getByText('2 selected').waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('2 selected').waitFor({ state: 'detached' })

    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Story' }).waitFor()
    await page.keyboard.press(']')
    await page.getByText('There is no next ticket in the list that you came from.').waitFor()
    for (const prompt of ['Second', 'Third']) {
      const last = page.url()
      await page.keyboard.press('[')
      await page.waitForURL((url) => url.href !== last)
      await page.getByRole('tabpanel').waitFor()
      await page.keyboard.press('1')
      await page.getByRole('tabpanel').getByText(prompt).waitFor()
    }
    await page.keyboard.press('Escape')
    await page.waitForURL('**/tickets')
    await focusIsOn(page, 'Third')
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('y and a letter copies each form, and never the key', async () => {
    const environment = { AI_TICKET_API_KEYS: `operator=${KEY}` }
    await using world = await startWorld({ environment, key: KEY, answer: () => 'An answer' })
    const event = { content: "It's a needle", parameters: { max_tokens: 5 } }
    await world.post('/event', event)
    const { page } = await open(`${world.console}tickets`)
    await page.getByRole('dialog').getByLabel('API key').fill(KEY)
    await page.keyboard.press('Enter')
    await rows(page, 1)
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Story' }).waitFor()
    const copied: Record<string, string> = {}
    for (const letter of 'lipactb') {
      await page.evaluate(() => navigator.clipboard.writeText('nothing'))
      await page.keyboard.press('y')
      await page.keyboard.press(letter)
      const read = () => page.evaluate(() => navigator.clipboard.readText())
      await expect.poll(read).not.toBe('nothing')
      copied[letter] = await read()
    }
    expect(JSON.stringify(copied)).not.toContain(KEY)
    expect(copied.l).toBe(page.url())
    expect(copied.i).toBe(page.url().split('/').at(-1))
    expect(copied.p).toBe(event.content)
    expect(copied.a).toBe('An answer')
    expect(copied.c).toContain('-H "Authorization: Bearer $AI_TICKET_KEY"')
    expect(copied.c).toContain(`-d '{"content":"It'\\''s a needle"`)
    expect(copied.t).toContain('await onEvent({')
    expect(JSON.parse(copied.b ?? '')).toMatchObject(event)
  })

  test('d compares a replay with its ticket, and any two tickets, on one scale', async () => {
    await using world = await startWorld({ answer: ({ text }) => `The sky is ${text}` })
    const { id: one } = await world.post('/tickets', { content: 'blue', metadata: { order: '4711' } })
    await ended(world.url, one)
    const { id: other } = await world.post(`/tickets/${one}/replay`, { content: 'grey', priority: 3 })
    await ended(world.url, other)
    const { id: third } = await world.post('/tickets', { content: 'green' })
    const { page, complaints, lostFocus } = await open(`${world.console}tickets/${other}`)
    await page.getByRole('region', { name: 'Story' }).waitFor()
    await page.keyboard.press('d')
    await page.waitForURL(`**/compare/${one}/${other}`)
    const event = page.getByRole('region', { name: 'What differs in the event' })
    await event
      .getByRole('row', { name: /priority/ })
      .getByText('not there')
      .waitFor()
    const answer = page.getByRole('region', { name: 'Answer' })
    await answer.locator('del').getByText('blue').waitFor()
    await answer.locator('ins').getByText('grey').waitFor()
    const scales = await page.evaluate(() =>
      [...document.querySelectorAll('section[aria-label^="Story of"] [aria-hidden]')].map(
        (story) => story.firstElementChild?.textContent,
      ),
    )
    expect(scales).toHaveLength(2)
    expect(scales[0]).toBe(scales[1])
    await axeInAllThemes(page)

    await page.keyboard.press('Escape')
    await page.goto(`${world.console}tickets/${one}`)
    await page.getByRole('region', { name: 'Story' }).waitFor()
    await page.keyboard.press('d')
    const dialog = page.getByRole('dialog', { name: 'Compare with' })
    await dialog.getByRole('button', { name: String(other) }).waitFor()
    await axeInAllThemes(page)
    await page.keyboard.type('nonsense')
    await page.keyboard.press('Enter')
    await dialog.getByText('The id of a ticket begins with tkt_.').waitFor()
    await page.keyboard.press('Control+a')
    await page.keyboard.type(`${world.console}tickets/${third}?tab=raw`)
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/compare/${one}/${third}`)
    await answer.locator('ins').getByText('green').waitFor()
    await page.keyboard.press('e')
    await page.getByRole('dialog', { name: 'Edit and replay' }).waitFor()
    await axeInAllThemes(page)
    await page.keyboard.press('Control+Enter')
    await page.getByText('Nothing is changed.').waitFor()
    await page.keyboard.press('Escape')
    expect(await lostFocus()).toEqual([])
    expect(complaints).toEqual([])
  })

  test('Access lists the keys with their limits and who may be called back, for operators', async () => {
    const environment = {
      AI_TICKET_API_KEYS: `operator=${KEY},grafana:read=sk-the-reader`,
      AI_TICKET_RATE_LIMIT: '1000/min',
      AI_TICKET_CALLBACK_ALLOW: 'https://hooks.example.com/*',
      AI_TICKET_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 'key').toString('base64')}`,
    }
    await using world = await startWorld({ environment, key: KEY })
    const { page, complaints, lostFocus } = await open(`${world.console}access`)
    await page.getByRole('dialog').getByLabel('API key').fill(KEY)
    await page.keyboard.press('Enter')
    const keys = page.getByRole('region', { name: 'API keys' })
    await keys.getByRole('row', { name: /^operator events, read, admin|^operator admin/ }).waitFor()
    await keys.getByRole('row', { name: /^grafana read .* not since its start/ }).waitFor()
    await page.getByText('https://hooks.example.com/*').waitFor()
    await axeInAllThemes(page)
    expect(await lostFocus()).toEqual([])
    expect(complaints.filter((one) => !one.includes('401'))).toEqual([])

    const reader = await open(`${world.console}access`)
    await reader.page.getByRole('dialog').getByLabel('API key').fill('sk-the-reader')
    await reader.page.keyboard.press('Enter')
    await reader.page.getByText('is for a key with the scope admin').waitFor()
    expect(reader.complaints.filter((one) => !one.includes('401'))).toEqual([])
  })
})

async function choose(page: Page, words: string): Promise<void> {
  const palette = page.getByRole('dialog', { name: 'Go or do' })
  await page.keyboard.press('Control+k')
  await palette.waitFor()
  await page.keyboard.type(words)
  await page.keyboard.press('Enter')
  await palette.waitFor({ state: 'detached' })
}

async function axeInAllThemes(page: Page): Promise<void> {
  const before = await page.evaluate(() => document.documentElement.dataset.theme ?? '')
  for (const theme of [...THEMES, before]) {
    await page.evaluate((name) => document.documentElement.setAttribute('data-theme', name), theme)
    if (theme !== before || THEMES.includes(before))
      expect([theme, await axeViolations(page)]).toEqual([theme, []])
  }
}

async function ended(url: string, id: unknown): Promise<void> {
  await expect
    .poll(async () => ((await (await fetch(`${url}/tickets/${id}`)).json()) as { status: string }).status)
    .toBe('completed')
}
