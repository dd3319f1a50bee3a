import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations } from './axe.ts'
import {
  chromiumPath,
  needsChromium,
  openBrowser,
  startWorld,
  watchedPage,
  watchFocus,
} from './console-world.ts'

const KEY = 'sk-the-key-of-the-operator'

/** How somebody does a thing: by a key, by another key, or by its name in the palette. */
interface Hands {
  readonly name: string
  /** What the browser has kept. */
  readonly kept: Readonly<Record<string, string>>
  readonly keys: Readonly<Record<string, string>> | 'palette'
}

const OWN = {
  search: 'Alt+s',
  edit: 'Alt+e',
  compare: 'Alt+c',
  'go.line': 'Alt+1',
  'go.dead': 'Alt+2',
  'list.down': 'Alt+n',
  palette: 'Alt+p',
}

const HANDS: readonly Hands[] = [
  { name: 'with the keys that are there', kept: {}, keys: { palette: 'Control+k' } },
  {
    name: 'with single keys off',
    kept: { 'ai-ticket-console-single-keys': 'off' },
    keys: 'palette',
  },
  { name: 'with other keys', kept: { 'ai-ticket-console-keys': JSON.stringify(OWN) }, keys: OWN },
]

/** The keys that are there, and their names in the palette. */
const DEEDS = {
  search: ['/', 'Search'],
  edit: ['e', 'Edit and replay'],
  compare: ['d', 'Compare'],
  'go.line': ['g l', 'Line'],
  'go.dead': ['g d', 'Dead letters'],
  'list.down': ['j', ''],
  palette: ['Control+k', ''],
} as const

type Deed = keyof typeof DEEDS

describe.skipIf(chromiumPath === undefined)(`journeys by keyboard only${needsChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test.each(HANDS)(
    'sign in, find, edit, compare, cancel, send again, pause: $name',
    async ({ kept, keys }) => {
      await using world = await startWorld({
        environment: { AI_TICKET_API_KEYS: `operator=${KEY}` },
        key: KEY,
        tokensPerSecond: 40,
        ignoreSchema: true,
        answer: ({ text }) => (text.includes('story') ? 'word '.repeat(2_000) : 'no number'),
      })
      for (const content of ['The needle', 'Hay', 'More hay'])
        await world.post('/event', { content, schema: ONE })
      const context = await browser.newContext()
      context.setDefaultTimeout(15_000)
      const { page, complaints } = await watchedPage(context, world.url)
      const lostFocus = await watchFocus(page)
      await page.addInitScript((entries) => {
        for (const [name, value] of entries) localStorage.setItem(name, value)
      }, Object.entries(kept))
      const act = (deed: Deed) => doBy(page, keys, deed)

      await page.goto(`${world.console}tickets`)
      await page.getByRole('dialog', { name: 'This server wants an API key' }).waitFor()
      await page.keyboard.type(KEY)
      await page.keyboard.press('Enter')
      await rows(page, 3)

      await act('search')
      await page.keyboard.type('status:failed needle')
      await page.keyboard.press('Enter')
      await rows(page, 1)
      await page.keyboard.press('Escape')
      await focusIsOn(page, 'The needle')
      await page.keyboard.press('Enter')
      await page.waitForURL('**/console/tickets/tkt_*')
      const failed = page.url().split('/').at(-1)
      await page.getByRole('region', { name: 'Story' }).waitFor()

      await act('edit')
      await page.getByRole('dialog', { name: 'Edit and replay' }).waitFor()
      await page.keyboard.press('Control+End')
      await page.keyboard.type(' in the haystack')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Control+a')
      await page.keyboard.type('{}')
      await page.keyboard.press('Control+Enter')
      await page.waitForURL(`**/console/compare/${failed}/tkt_*`)
      await page.getByRole('row', { name: /^schema/ }).waitFor()
      await page.getByRole('region', { name: 'Prompt' }).locator('ins').getByText('in the haystack').waitFor()
      expect(await axeViolations(page)).toEqual([])

      const event = world.post('/event', {
        id: 'evt_story',
        content: 'A story',
        parameters: { max_tokens: 2_000 },
      })
      await act('go.line')
      await tabTo(page, 'Cancel evt_story')
      await page.keyboard.press('Enter')
      await page.getByText('Cancelled. Its backend has stopped.').waitFor()
      expect(await event).toMatchObject({ error: 'cancelled' })
      await expect.poll(() => world.simulator.generating).toBe(false)

      await act('go.dead')
      await tabTo(page, 'Replay all 3')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Send 3 tickets again?' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByText('3 tickets sent again.').waitFor()

      await act('palette')
      await page.getByRole('dialog', { name: 'Go or do' }).waitFor()
      await page.keyboard.type('pause kobold')
      await page.keyboard.press('Enter')
      await page.getByText('kobold is paused.').waitFor()
      const backends = (await (
        await fetch(`${world.url}/backends`, { headers: { authorization: `Bearer ${KEY}` } })
      ).json()) as { backends: { paused?: { by: string } }[] }
      expect(backends.backends[0]?.paused).toMatchObject({ by: 'operator' })

      expect(await lostFocus()).toEqual([])
      expect(complaints.filter((one) => !one.includes('401'))).toEqual([])
      await context.close()
    },
  )
})

async function doBy(page: Page, keys: Hands['keys'], deed: Deed): Promise<void> {
  const [usual, name] = DEEDS[deed]
  if (keys === 'palette' && name !== '') {
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog', { name: 'Go or do' }).waitFor()
    await page.keyboard.type(name)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Go or do' }).waitFor({ state: 'detached' })
    return
  }
  const pressed = keys === 'palette' ? usual : (keys[deed] ?? usual)
  for (const press of pressed.split(' ')) await page.keyboard.press(press)
}

/** Nothing that the model says fits it. */
const ONE = { type: 'object', required: ['n'], properties: { n: { const: 1 } } }

const rows = async (page: Page, count: number): Promise<void> => {
  await expect.poll(() => page.locator('tbody tr[data-id]').count()).toBe(count)
}

const focusIsOn = async (page: Page, text: string): Promise<void> => {
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent ?? '')).toContain(text)
}

/** Presses Tab until a button of this name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name }).waitFor()
  for (let press = 0; press < 40; press += 1) {
    const at = await page.evaluate(
      () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
    )
    if (at.startsWith(name)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not come to ${name}.`)
}
