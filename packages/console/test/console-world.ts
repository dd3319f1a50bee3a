import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import type { HistoryEntry } from '@ai-ticket/tickets'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const SERVE = fileURLToPath(new URL('../../ai-ticket-server/dist/serve.js', import.meta.url))
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** A Chromium on this machine; CONSOLE_TEST_CHROMIUM names another. Undefined: there is none. */
export const chromiumPath: string | undefined = [process.env.CONSOLE_TEST_CHROMIUM, ...PLACES].find(
  (path) => path !== undefined && existsSync(path),
)

/** In the name of what is skipped without a browser; `.ci/run` looks for it. */
export const needsChromium = chromiumPath === undefined ? ' (SKIPPED: install chromium)' : ''

/** The real server program with a simulator behind it. */
export interface World extends AsyncDisposable {
  readonly url: string
  readonly console: string
  readonly simulator: KoboldSimulator
  /** What the server has written. */
  readonly log: () => string
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  /** The processor time of the server so far, in milliseconds. Where the system does not say, the time of day. */
  readonly processorMs: () => number
  /** Starts the server that was killed again, at the same address and with the same tickets. */
  readonly restart: () => Promise<void>
  readonly post: (path: string, body: unknown) => Promise<Record<string, unknown>>
}

type Environment = Readonly<Record<string, string>>

export interface WorldOptions {
  /** Beside what every server of these tests has; may depend on the server's folder. */
  readonly environment?: Environment | ((folder: string) => Environment)
  readonly tokensPerSecond?: number
  /** The name of the model that the backend has. */
  readonly model?: string
  readonly key?: string
  /** Answers without regard to the schema. Default false. */
  readonly ignoreSchema?: boolean
  /** Puts tickets into the folder of the server before it starts. */
  readonly fill?: (folder: string) => Promise<void>
  /** What the model answers. */
  readonly answer?: (prompt: { readonly text: string }) => string
}

export async function startWorld({
  environment = {},
  tokensPerSecond = Number.POSITIVE_INFINITY,
  key,
  answer,
  ignoreSchema = false,
  fill,
  model,
}: WorldOptions = {}): Promise<World> {
  const simulator = await startKoboldSimulator({
    tokensPerSecond,
    ignoreSchema,
    ...(answer && { answer }),
    ...(model !== undefined && { model }),
  })
  const folder = await mkdtemp(join(tmpdir(), 'console-'))
  await fill?.(folder)
  let log = ''
  const start = (port: string) => {
    const child = spawn(process.execPath, [SERVE], {
      env: {
        PATH: process.env.PATH,
        KOBOLDCPP_API_URL: simulator.url,
        AI_TICKET_DATA_DIR: folder,
        PORT: port,
        ...(typeof environment === 'function' ? environment(folder) : environment),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    log = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log += data))
    return child
  }
  let child = start('0')
  const url = await addressIn(child, () => log)
  const kill = (signal: NodeJS.Signals = 'SIGTERM') => ended(child, signal)
  return {
    url,
    console: `${url}/console/`,
    simulator,
    log: () => log,
    kill,
    processorMs: () => (process.platform === 'linux' ? processorMsOf(child.pid) : performance.now()),
    async restart() {
      child = start(new URL(url).port)
      await addressIn(child, () => log)
    },
    async post(path, body) {
      const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) }
      const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
      return (await response.json()) as Record<string, unknown>
    },
    async [Symbol.asyncDispose]() {
      await kill('SIGKILL')
      await simulator.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Of all its threads. */
function processorMsOf(pid: number | undefined): number {
  const tasks = `/proc/${pid}/task`
  const nanoseconds = readdirSync(tasks).map((task) => {
    const [onProcessor] = readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')
    return Number(onProcessor)
  })
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6
}

function addressIn(child: ChildProcess, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const [, url] = /Listening on (http:\/\/[\w.:[\]]+)/.exec(log()) ?? []
      if (url !== undefined) resolve(url)
    }
    child.stdout?.on('data', look)
    child.once('exit', () => reject(new Error(`The server ended:\n${log()}`)))
  })
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill(signal)
  })
}

/** `names`: host names that lead to this machine, though no file says so. */
export const openBrowser = (names: readonly string[] = []): Promise<Browser> =>
  chromium.launch({
    ...(chromiumPath !== undefined && { executablePath: chromiumPath }),
    // Root of a container has no sandbox of its own to build.
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(',')}`,
    ],
  })

/** A page that writes down what must not happen. */
export interface WatchedPage {
  readonly page: Page
  /** Errors, warnings and policy reports of the browser's console, dialogs, and requests to elsewhere. */
  readonly complaints: readonly string[]
}

export async function watchedPage(context: BrowserContext, origin: string): Promise<WatchedPage> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() !== 'log') complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('blob:'))
      complaints.push(`asked ${request.url()}`)
  })
  return { page, complaints }
}

/** Notes every frame in which nothing on the page has the focus, once the app is there. */
export async function watchFocus(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.addInitScript(() => {
    const lost: string[] = []
    Object.assign(window, { lostFocus: lost })
    let last = 'the start'
    addEventListener('keydown', ({ key }) => (last = key), true)
    const look = () => {
      const isThere = document.getElementById('main') !== null
      if (isThere && (document.activeElement ?? document.body) === document.body)
        lost.push(`${location.pathname} after ${last}`)
      requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  return () => page.evaluate(() => ('lostFocus' in window ? (window.lostFocus as string[]) : ['not watched']))
}

/** Waits until the list has so many rows. */
export const rows = async (page: Page, count: number): Promise<void> => {
  await expect.poll(() => page.locator('tbody tr[data-id]').count()).toBe(count)
}

/** The ids of the tickets in the list, from its top. */
export const shownIds = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('tbody tr[data-id]')].map(({ dataset }) => dataset.id ?? ''),
  )

export const focusIsOn = async (page: Page, text: string): Promise<void> => {
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent ?? '')).toContain(text)
}

/** Presses Tab until a button of this name has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name }).first().waitFor()
  for (let press = 0; press < 100; press += 1) {
    const at = await page.evaluate(
      () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
    )
    if (at.startsWith(name)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not come to ${name}.`)
}

/** The addresses of the bar's screens. */
export const screensOf = (page: Page): Promise<readonly string[]> =>
  page
    .getByRole('navigation', { name: 'Screens' })
    .getByRole('link')
    .evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''))

export async function statusOf({ url }: World, id: unknown): Promise<unknown> {
  return ((await (await fetch(`${url}/tickets/${id}`)).json()) as { status: unknown }).status
}

/** Nothing that the model of a test says fits it. */
export const ONE = { type: 'object', required: ['n'], properties: { n: { const: 1 } } }

/** As the store keeps an event that was answered at once, and failed. */
export function failedEntry(eventId: string, content: string, createdAt: number): HistoryEntry {
  const attempt = {
    backend: 'box',
    endpoint: 'chat',
    number: 1,
    started_at: new Date(createdAt).toISOString(),
    duration_ms: 9,
    waited_ms: 0,
    result: 'output_schema_mismatch' as const,
  }
  return {
    event: { id: eventId, content, schema: ONE },
    eventId,
    caller: '',
    createdAt,
    finishedAt: createdAt + 9,
    outcome: {
      id: eventId,
      error: 'output_schema_mismatch',
      details: 'The answer does not fit the schema.',
      duration_ms: 9,
      attempts: [attempt],
    },
  }
}

/** The value below which 95 % of them lie. */
export const p95 = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.ceil(values.length * 0.95) - 1] ?? Number.NaN

/** The processor time of a page's main thread. */
export const busyMs = (trace: Buffer): number =>
  mainThreadOf(trace).reduce(
    (sum, { name, tdur = 0 }) => (name.endsWith('RunTask') ? sum + tdur / 1_000 : sum),
    0,
  )

/** The longest task of a page's main thread by its processor time: what else the machine does is not in it. */
export const busiestTaskMs = (trace: Buffer): number =>
  Math.max(
    0,
    ...mainThreadOf(trace).map(({ name, tdur = 0 }) => (name.endsWith('RunTask') ? tdur / 1_000 : 0)),
  )

/** The processor time that a page's main thread takes from each animation frame to the next. */
export function frameTimesMs(trace: Buffer): readonly number[] {
  const frames: number[] = []
  for (const { name, tdur = 0 } of mainThreadOf(trace)) {
    if (name === 'FireAnimationFrame') frames.push(0)
    // The task in which a frame fires began before it: it counts for the frame before, which is as long.
    if (name.endsWith('RunTask') && frames.length > 0) frames.push((frames.pop() ?? 0) + tdur / 1_000)
  }
  return frames
}

/** What a page's main thread did, in its order. */
function mainThreadOf(trace: Buffer): readonly TraceEvent[] {
  const { traceEvents } = JSON.parse(trace.toString('utf8')) as { traceEvents: readonly TraceEvent[] }
  const main = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  )
  return traceEvents
    .filter(({ pid, tid }) => main.has(`${pid} ${tid}`))
    .toSorted((one, other) => one.ts - other.ts)
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** When it began, in microseconds. */
  readonly ts: number
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}
