import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createServer as createDesk } from '@ai-ticket/http-server'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import type { FastifyPluginCallback } from 'fastify'
import type { Browser, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, needsChromium, openBrowser, watchedPage } from '../test/console-world.ts'
import { startProxy } from '../test/proxy.ts'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const BELOW = '/a/b'
const KB = 1_024
const run = promisify(execFile)

describe.skipIf(chromiumPath === undefined)(`the packed console${needsChromium}`, () => {
  let browser: Browser
  let folder: string
  beforeAll(async () => {
    browser = await openBrowser()
    folder = await mkdtemp(join(tmpdir(), 'packed-'))
    await run('pnpm', ['pack', '--pack-destination', folder], { cwd: PACKAGE })
    const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
    await run('tar', ['-xzf', join(folder, String(tarball)), '-C', folder])
  })
  afterAll(() => Promise.all([browser?.close(), folder && rm(folder, { recursive: true, force: true })]))

  test('runs alone and offline below a path, within its budgets, and after an upgrade with a warm cache', async () => {
    const old = join(folder, 'old')
    await cp(join(folder, 'package'), old, { recursive: true })
    await rename(join(old, 'dist/app'))
    const first = await open(old)
    await using proxy = await startProxy({ port: first.port, below: BELOW })
    const context = await browser.newContext()
    context.setDefaultTimeout(30_000)
    const origin = `http://127.0.0.1:${proxy.port}`
    const { page, complaints } = await watchedPage(context, origin)
    const asked: Request[] = []
    page.on('request', (request) => asked.push(request))
    await page.goto(`${origin}${BELOW}/console/`)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(asked.every((request) => request.url().startsWith(`${origin}${BELOW}/`))).toBe(true)
    await page.goto(`${origin}${BELOW}/console/compose`)
    await page.getByRole('heading', { name: 'Compose' }).waitFor()

    expect(unexpected(complaints)).toEqual([])
    const beforeUpgrade = complaints.length
    // The new version has other names for its files; the cache has the page and the files of the old one.
    await first.close()
    await using second = await open(join(folder, 'package'))
    proxy.leadTo(second.port)
    const before = asked.length
    await page.goto(`${origin}${BELOW}/console/`)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    // Between both servers nobody was there for the page that is left.
    const upgraded = complaints.length
    const during = unexpected(complaints.slice(beforeUpgrade, upgraded))
    expect(during.filter((one) => !one.includes('ERR_EMPTY_RESPONSE'))).toEqual([])
    const names = asked.slice(before).map((request) => new URL(request.url()).pathname)
    const current = await readdir(join(folder, 'package/dist/app/assets'))
    const scripts = names.flatMap((name) => (name.endsWith('.js') ? [name.split('/').at(-1) ?? ''] : []))
    expect(scripts.length).toBeGreaterThan(0)
    for (const name of scripts) expect(current).toContain(name)
    await page.keyboard.press('g')
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'Compose' }).waitFor()
    expect(unexpected(complaints.slice(upgraded))).toEqual([])
    await context.close()
    await holdsBudgets(browser, `${origin}${BELOW}/console/`)
  })
})

/** A server without the operator's API has no feed, which the browser notes. */
const unexpected = (complaints: readonly string[]) =>
  complaints.filter((one) => !one.includes('status of 404'))

/** What a browser that was never there asks for until it can be used. */
async function holdsBudgets(browser: Browser, url: string): Promise<void> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const own: Request[] = []
  page.on('request', (request) => request.url().startsWith(url) && own.push(request))
  await page.goto(url)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  expect(own.length).toBeGreaterThan(2)
  expect(own.length).toBeLessThanOrEqual(6)
  expect(await sentBytes(own, 'script')).toBeGreaterThan(10 * KB)
  expect(await sentBytes(own, 'script')).toBeLessThanOrEqual(36 * KB)
  expect(await sentBytes(own, 'stylesheet')).toBeLessThanOrEqual(10 * KB)
  await context.close()
}

/** A server with the console of an unpacked tarball and of nothing else of this package. */
async function open(folder: string) {
  const simulator = await startKoboldSimulator()
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
  const loaded = (await import(pathToFileURL(join(folder, 'dist/index.js')).href)) as {
    createConsole: () => FastifyPluginCallback
  }
  const server = createDesk({ dispatcher })
  server.register(loaded.createConsole())
  await server.listen({ port: 0, host: '127.0.0.1' })
  const close = async () => {
    await server.close()
    await simulator.close()
  }
  return { port: (server.server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: close }
}

/** Another version: the same files by other names. */
async function rename(app: string): Promise<void> {
  const assets = join(app, 'assets')
  const scripts = (await readdir(assets)).filter((name) => /\.(js|css)(\.br|\.gz)?$/.test(name))
  const fresh = (name: string) => name.replace(/^([\w-]+?)(\.(?:js|css))/, '$1-old$2')
  const plain = scripts.filter((name) => /\.(js|css)$/.test(name))
  const renamed = (text: string) => plain.reduce((all, name) => all.replaceAll(name, fresh(name)), text)
  for (const name of scripts) {
    // What is compressed names the files as they were; the plain ones do.
    if (/\.(br|gz)$/.test(name)) await rm(join(assets, name))
    else {
      await writeFile(join(assets, fresh(name)), renamed(await readFile(join(assets, name), 'utf8')))
      await rm(join(assets, name))
    }
  }
  const page = join(app, 'index.html')
  await writeFile(page, renamed(await readFile(page, 'utf8')))
}

async function sentBytes(requests: readonly Request[], type: string): Promise<number> {
  const sizes = requests
    .filter((request) => request.resourceType() === type)
    .map(async (request) => (await request.sizes()).responseBodySize)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
