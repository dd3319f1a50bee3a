import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { createServer } from '@ai-ticket/http-server'
import { expect, test } from 'vitest'
import { type ConsoleOptions, createConsole } from './console-routes.ts'
import { CONTENT_SECURITY_POLICY } from './headers.ts'

const SCRIPT = 'console.log(1)\n'.repeat(100)

const built = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'console-build-'))
  mkdirSync(join(folder, 'assets'))
  writeFileSync(
    join(folder, 'index.html'),
    '<head><script type="module" src="./assets/index-ab.js"></script><link href="./assets/style-cd.css"></head>',
  )
  writeFileSync(join(folder, 'assets/index-ab.js'), SCRIPT)
  writeFileSync(join(folder, 'assets/index-ab.js.br'), brotliCompressSync(SCRIPT))
  writeFileSync(join(folder, 'secret.txt'), 'not for anybody')
  return folder
}

const serverWith = (options: ConsoleOptions = {}, apiKeys: string[] = []) => {
  const server = createServer({ dispatcher: {} as never, apiKeys })
  server.register(createConsole({ folder: built(), ...options }))
  return server
}

const KEY = 'a-key-of-the-operator'
const BROWSER = { accept: 'text/html,application/xhtml+xml', host: '127.0.0.1' }

test('every answer below the console has the policy, and needs no key', async () => {
  const server = serverWith({}, [KEY])
  for (const url of [
    '/console/',
    '/console/tickets/tkt_1?tab=raw',
    '/console/assets/index-ab.js',
    '/console/theme.css',
  ]) {
    const { statusCode, headers } = await server.inject({ url })
    expect([url, statusCode]).toEqual([url, 200])
    expect(headers).toMatchObject({
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
  }
  expect((await server.inject('/backends')).statusCode).toBe(401)
})

test('the Host is checked as everywhere', async () => {
  const { statusCode } = await serverWith().inject({ url: '/console/', headers: { host: 'evil.example' } })
  expect(statusCode).toBe(403)
})

test.each([
  ['/console/', './'],
  ['/console/tickets', './'],
  ['/console/tickets/', '../'],
  ['/console/tickets/tkt_1?tab=a/b', '../'],
  ['/console/compare/tkt_1/tkt_2', '../../'],
])('the page at %s finds its files below any path of a proxy', async (url, prefix) => {
  const { body } = await serverWith().inject(url)
  expect(body).toContain(`src="${prefix}assets/index-ab.js"`)
  expect(body).toContain(`href="${prefix}assets/style-cd.css"`)
})

test('an address without its slash is led to the one with it, by a relative address', async () => {
  const { statusCode, headers } = await serverWith().inject('/console?x=1')
  expect([statusCode, headers.location]).toEqual([308, 'console/?x=1'])
})

test('the page is asked for anew each time, and answered with 304 while it is the same', async () => {
  const server = serverWith()
  const { headers } = await server.inject('/console/')
  expect(headers['cache-control']).toBe('no-cache')
  const etag = String(headers.etag)
  const again = await server.inject({ url: '/console/', headers: { 'if-none-match': `"x", W/${etag}` } })
  expect([again.statusCode, again.body]).toEqual([304, ''])
  const other = await serverWith({ label: 'prod' }).inject({
    url: '/console/',
    headers: { 'if-none-match': etag },
  })
  expect(other.statusCode).toBe(200)
})

test('files with a hash stay forever, compressed where the browser wants it', async () => {
  const server = serverWith()
  const get = (accept?: string) =>
    server.inject({
      url: '/console/assets/index-ab.js',
      headers: accept ? { 'accept-encoding': accept } : {},
    })
  const plain = await get()
  expect(plain.body).toBe(SCRIPT)
  expect(plain.headers).toMatchObject({
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'accept-encoding',
    'content-type': 'text/javascript; charset=utf-8',
  })
  expect(plain.headers['content-encoding']).toBeUndefined()
  const packed = await get('gzip, br;q=0.9')
  expect(packed.headers['content-encoding']).toBe('br')
  expect(packed.rawPayload.length).toBeLessThan(SCRIPT.length / 4)
  expect((await get('br;q=0, gzip')).headers['content-encoding']).toBeUndefined()
})

test.each([
  '../secret.txt',
  '..%2fsecret.txt',
  '%2e%2e/secret.txt',
  'index-ab.js.br',
  'none.js',
  '__proto__',
])('nothing but a file of the build is served: assets/%s', async (file) => {
  const { body } = await serverWith().inject(`/console/assets/${file}`)
  expect(body).not.toContain('not for anybody')
})

test('a browser at / is led to the console, everybody else gets what they got', async () => {
  const open = serverWith()
  const led = await open.inject({ url: '/', headers: BROWSER })
  expect([led.statusCode, led.headers.location]).toEqual([302, './console/'])
  expect(led.headers.vary).toContain('accept')
  const plain = createServer({ dispatcher: {} as never })
  const before = await plain.inject({ url: '/', headers: { accept: '*/*' } })
  const now = await open.inject({ url: '/', headers: { accept: '*/*' } })
  expect([now.statusCode, now.json()]).toEqual([before.statusCode, before.json()])

  const locked = serverWith({}, [KEY])
  expect((await locked.inject({ url: '/', headers: BROWSER })).statusCode).toBe(302)
  expect((await locked.inject({ url: '/' })).statusCode).toBe(401)
})

test('what an operator calls it is text in the page, whatever it holds', async () => {
  const { body } = await serverWith({ label: '"><script>alert(1)</script>' }).inject('/console/')
  expect(body).not.toContain('<script>alert')
  expect(body).toContain('&#34;&#62;&#60;script&#62;')
})

test('a theme of the operator', async () => {
  const theme = mkdtempSync(join(tmpdir(), 'console-theme-'))
  writeFileSync(join(theme, 'theme.css'), ':root { --accent: red }\n')
  writeFileSync(join(theme, 'logo.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>')
  writeFileSync(join(theme, 'name.txt'), 'Our desk\n')
  const server = serverWith({ theme, tokens: { bad: '#a00' } })
  const page = await server.inject('/console/')
  expect(page.body).toContain('href="./theme.css"')
  expect(page.body).toContain('<meta name="ai-ticket-name" content="Our desk" />')
  expect((await server.inject('/console/theme.css')).body).toContain('--accent: red')
  expect((await server.inject('/console/theme.css')).body).toContain('--bad: #a00;')
  expect((await server.inject('/console/logo.svg')).headers['content-type']).toBe('image/svg+xml')
})

test('a wrong theme names itself', () => {
  expect(() => serverWith({ tokens: { colour: '#fff' } })).toThrow('no token "colour"')
  expect(() => serverWith({ tokens: { accent: 'red; } body { display: none' } })).toThrow(
    '"accent" must be a colour',
  )
  expect(() => serverWith({ theme: '/no/such/folder' })).toThrow('/no/such/folder')
})
