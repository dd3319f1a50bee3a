import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

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
  /** Starts the server that was killed again, at the same address and with the same tickets. */
  readonly restart: () => Promise<void>
  readonly post: (path: string, body: unknown) => Promise<Record<string, unknown>>
}

export interface WorldOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly tokensPerSecond?: number
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
}: WorldOptions = {}): Promise<World> {
  const simulator = await startKoboldSimulator({ tokensPerSecond, ignoreSchema, ...(answer && { answer }) })
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
        ...environment,
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
