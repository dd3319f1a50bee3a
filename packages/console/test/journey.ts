import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { axeViolations } from './axe.ts'
import {
  focusIsOn,
  rows,
  tabTo,
  type World,
  type WorldOptions,
  watchedPage,
  watchFocus,
} from './console-world.ts'

export const KEY = 'sk-the-key-of-the-operator'

/** How somebody does a thing: by a key, by another key, or by its name in the palette. */
export interface Hands {
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
  'go.config': 'Alt+3',
  'list.down': 'Alt+n',
  palette: 'Alt+p',
}

export const HANDS: readonly Hands[] = [
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
  'go.config': ['g c', 'Config'],
  'list.down': ['j', ''],
  palette: ['Control+k', ''],
} as const

type Deed = keyof typeof DEEDS

/** The server of a journey: its model fits no schema, and tells long stories. */
export const JOURNEY_WORLD = {
  environment: { AI_TICKET_API_KEYS: `operator=${KEY}` },
  key: KEY,
  tokensPerSecond: 40,
  ignoreSchema: true,
  answer: ({ text }) => (text.includes('story') ? 'word '.repeat(2_000) : 'no number'),
} satisfies WorldOptions

export interface Journey extends AsyncDisposable {
  readonly page: Page
  readonly act: (deed: Deed) => Promise<void>
  /** Nothing was lost on the way: neither the focus, nor a request but those of a server that stops. */
  readonly ended: () => Promise<void>
}

/** Comes to the tickets and signs in. From here on, only keys. */
export async function signIn(browser: Browser, world: World, { kept, keys }: Hands): Promise<Journey> {
  const context = await browser.newContext()
  context.setDefaultTimeout(15_000)
  const { page, complaints } = await watchedPage(context, world.url)
  const lostFocus = await watchFocus(page)
  await page.addInitScript((entries) => {
    for (const [name, value] of entries) localStorage.setItem(name, value)
  }, Object.entries(kept))
  await page.goto(`${world.console}tickets`)
  await page.getByRole('dialog', { name: 'This server wants an API key' }).waitFor()
  await page.keyboard.type(KEY)
  await page.keyboard.press('Enter')
  return {
    page,
    act: (deed) => doBy(page, keys, deed),
    async ended() {
      expect(await lostFocus()).toEqual([])
      expect(
        complaints.filter((one) => !/status of (401|503)|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE/.test(one)),
      ).toEqual([])
    },
    [Symbol.asyncDispose]: () => context.close(),
  }
}

/** Finds the failed ticket among the others, changes its prompt, and sees what that changed. */
export async function findAndEdit({ page, act }: Journey): Promise<void> {
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
}

/** Ends a plain event while it runs; its backend stops within a second. */
export async function cancel({ page, act }: Journey, world: World): Promise<void> {
  const event = world.post('/event', {
    id: 'evt_story',
    content: 'A story',
    parameters: { max_tokens: 2_000 },
  })
  await act('go.line')
  await tabTo(page, 'Cancel evt_story')
  const pressedAt = performance.now()
  await page.keyboard.press('Enter')
  await page.getByText('Cancelled. Its backend has stopped.').waitFor()
  expect(await event).toMatchObject({ error: 'cancelled' })
  await expect.poll(() => world.simulator.generating).toBe(false)
  expect(Number(world.simulator.calls.at(-1)?.endedAt) - pressedAt).toBeLessThan(1_000)
}

/** Sends all failed tickets of a kind again. */
export async function replayAll({ page, act }: Journey, count: number): Promise<void> {
  await act('go.dead')
  await tabTo(page, `Replay all ${count}`)
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: `Send ${count} tickets again?` }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByText(`${count} tickets sent again.`).waitFor()
}

/** Lets a failed call be tried twice, which the next event obeys, and a restart keeps. */
export async function changeAttempts({ page, act }: Journey, world: World): Promise<void> {
  const calls = async () => {
    const { attempts } = await world.post('/event', { content: 'Once more' })
    return (attempts as { endpoint: string }[]).filter(({ endpoint }) => endpoint === 'chat').length
  }
  await act('go.config')
  await page.getByRole('heading', { name: 'Config', level: 1 }).waitFor()
  await page.getByRole('button', { name: 'Edit retries.attempts' }).waitFor()
  await act('search')
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('INPUT')
  await page.keyboard.type('attempts one endpoint')
  await page
    .getByRole('region', { name: 'Settings' })
    .first()
    .getByText('1 setting', { exact: true })
    .waitFor()
  await tabTo(page, 'Edit retries.attempts')
  await page.keyboard.press('Enter')
  const field = page.getByLabel('retries.attempts', { exact: true })
  await expect.poll(() => field.evaluate((one) => one === document.activeElement)).toBe(true)
  await page.keyboard.press('Control+a')
  await page.keyboard.type('2')
  await page.keyboard.press('Enter')
  await page.getByText('retries.attempts: 3 → 2').waitFor()
  await page.keyboard.press('Control+Enter')
  await page.getByText('1 setting changed.').waitFor()
  await world.simulator.setFaults([{ fault: 'status', status: 500 }])
  expect(await calls()).toBe(2)
  await world.kill()
  await world.restart()
  expect(await calls()).toBe(2)
  await world.simulator.setFaults([])
  await page.getByText('● live').waitFor()
}

/** Keeps new events from the backend. */
export async function pauseBackend({ page, act }: Journey, world: World): Promise<void> {
  await act('palette')
  await page.getByRole('dialog', { name: 'Go or do' }).waitFor()
  await page.keyboard.type('pause kobold')
  await page.keyboard.press('Enter')
  await page.getByText('kobold is paused.').waitFor()
  const backends = (await (
    await fetch(`${world.url}/backends`, { headers: { authorization: `Bearer ${KEY}` } })
  ).json()) as { backends: { paused?: { by: string } }[] }
  expect(backends.backends[0]?.paused).toMatchObject({ by: 'operator' })
}

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
