import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../../ai-ticket-server/test/run-program.ts'
import { freePort } from '../free-port.mjs'
import { ROOT } from '../test/markdown.ts'
import { createTemporaryFolder } from '../test/temporary-folder.ts'

// What operators copy, checked by the programs that they copy it for. `.ci/programs` installs these. Where one is missing
// the test fails: a check that nobody runs is none. Only Linux has all of them.
const onLinux = describe.runIf(process.platform === 'linux')

const example = (path: string) => join(ROOT, 'examples', path)
const readExample = (path: string) => readFileSync(example(path), 'utf8')

/** Runs a program to its end. Rejects, with what it said, where it ends with another code than 0. */
async function check(program: string, args: readonly string[], input = '') {
  const running = promisify(execFile)(program, args)
  running.child.stdin?.end(input)
  const { stdout, stderr } = await running.catch((error) => {
    const hint = error.code === 'ENOENT' ? ' It is not installed: run .ci/programs.' : ''
    throw new Error(`${program} ${args.join(' ')}: ${error.message}${hint}\n${error.stdout ?? ''}`)
  })
  return `${stdout}${stderr}`
}

onLinux('Prometheus', () => {
  test('promtool has nothing to say about the metrics of a server in use', async () => {
    await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url })
    await post(server.url, { content: 'Hello' })
    await post(server.url, {})
    await post(server.url, { content: 'Hello' }, { prefer: 'respond-async' })
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('ai_ticket_events_total{')
    expect(await check('promtool', ['check', 'metrics'], metrics)).toBe('')
  })

  test('promtool accepts the alert rules', async () => {
    expect(await check('promtool', ['check', 'rules', example('observability/alerts.yml')])).toMatch(
      /SUCCESS: \d+ rules found/,
    )
  })

  test('promtool accepts the configuration', async () => {
    expect(await check('promtool', ['check', 'config', example('observability/prometheus.yml')])).toMatch(
      /SUCCESS: .*prometheus\.yml is valid/,
    )
  })
})

onLinux('systemd', () => {
  test('accepts the unit without a warning', async () => {
    expect(await check('systemd-analyze', ['verify', example('systemd/ai-ticket.service')])).toBe('')
  })
})

interface Proxy extends AsyncDisposable {
  readonly url: string
}

onLinux.each([
  ['nginx', startNginx],
  ['Caddy', startCaddy],
] as const)('%s in front of the server', (_name, startProxy) => {
  test('accepts the example as it is', async () => {
    if (startProxy === startNginx) await check('nginx', await nginxArguments(5000, 443, ['-t']))
    else await check('caddy', ['validate', '--adapter', 'caddyfile', '--config', example('proxy/Caddyfile')])
  })

  test('hands on a stream as it comes, and a hang-up that stops the backend', async () => {
    await using desk = await openDesk()
    await using proxy = await startProxy(desk.server)
    const reply = await send(proxy, { content: 'Tell me a story.', parameters: { max_tokens: 300 } })
    expect(reply.headers['content-type']).toContain('text/event-stream')
    let seen = ''
    reply.setEncoding('utf8').on('data', (chunk) => {
      seen += chunk
    })
    await expect.poll(() => seen).toContain('event: delta')
    // Of 300 tokens at 20 a second, the first ones are here while the model still writes.
    expect(desk.simulator.calls[0]?.state).toBe('running')
    reply.on('error', () => {}).destroy()
    await desk.simulator.waitFor(({ calls }) => calls[0]?.state === 'aborted')
  })

  test('hands on a whole answer, a refusal with its status, and a large body', async () => {
    await using desk = await openDesk(Number.POSITIVE_INFINITY)
    await using proxy = await startProxy(desk.server)
    const json = { accept: 'application/json' }
    const answer = await send(proxy, { content: 'Hello' }, json)
    expect(JSON.parse(await text(answer))).toMatchObject({ completion: expect.any(String) })
    const refused = await send(proxy, {}, json)
    expect(refused.statusCode).toBe(400)
    expect(JSON.parse(await text(refused))).toMatchObject({ error: 'missing_content_field' })
    const large = await send(proxy, { content: 'Hello', metadata: { padding: 'x'.repeat(8_000_000) } }, json)
    await text(large)
    // Not the proxy's own page for it.
    expect(large.headers['x-request-id']).toBeDefined()
  })
})

interface OpenDesk extends AsyncDisposable {
  readonly simulator: KoboldSimulator
  readonly server: RunningServer
}

async function openDesk(tokensPerSecond = 20): Promise<OpenDesk> {
  const simulator = await startKoboldSimulator({ tokensPerSecond })
  const server = await startServer([], {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_ALLOWED_HOSTS: 'tickets.example.org',
  })
  return {
    simulator,
    server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await simulator.close()
    },
  }
}

const post = async (url: string, event: unknown, headers = {}) => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }
  await (await fetch(`${url}/event`, { ...init, body: JSON.stringify(event) })).text()
}

/** As a client that asks for `https://tickets.example.org/event`, whatever certificate there is. */
function send(
  { url }: Proxy,
  event: unknown,
  headers: Readonly<Record<string, string>> = { accept: 'text/event-stream' },
): Promise<IncomingMessage> {
  const request = url.startsWith('https:') ? tlsRequest : plainRequest
  return new Promise((resolve, reject) => {
    request(`${url}/event`, {
      method: 'POST',
      headers: { host: 'tickets.example.org', 'content-type': 'application/json', ...headers },
      rejectUnauthorized: false,
    })
      .on('response', resolve)
      .on('error', reject)
      .end(JSON.stringify(event))
  })
}

/** The example as it stands on the page, but for ports and the place of the certificate, in a configuration around it. */
async function nginxArguments(port: number, listen: number, more: readonly string[]): Promise<string[]> {
  const folder = createTemporaryFolder().path
  const files = { key: join(folder, 'ai-ticket.key'), certificate: join(folder, 'ai-ticket.crt') }
  const subject = ['-subj', '/CN=tickets.example.org', '-days', '1']
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', files.key, '-out', files.certificate]
  await check('openssl', ['req', '-x509', ...key, ...subject])
  const site = readExample('proxy/nginx.conf')
    .replace('127.0.0.1:5000', `127.0.0.1:${port}`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${listen} ssl`)
    .replaceAll('/etc/ssl', folder)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ')
  // A worker that is nobody could not write into the folder of the tests.
  const user = process.getuid?.() === 0 ? 'user root; ' : ''
  const main = `${user}daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temporary}\n${site} }`
  writeFileSync(join(folder, 'nginx.conf'), main)
  return ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf'), ...more]
}

async function startNginx({ url }: RunningServer): Promise<Proxy> {
  const listen = await freePort()
  const child = spawn('nginx', await nginxArguments(Number(new URL(url).port), listen, []), { stdio: 'pipe' })
  return await proxyOf(child, `https://127.0.0.1:${listen}`)
}

async function startCaddy({ url }: RunningServer): Promise<Proxy> {
  const folder = createTemporaryFolder().path
  const listen = await freePort()
  const site = readExample('proxy/Caddyfile')
    .replace('127.0.0.1:5000', new URL(url).host)
    .replace(/^tickets\.example\.org/m, `http://tickets.example.org:${listen}`)
  writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n}\n${site}`)
  const args = ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  return await proxyOf(spawn('caddy', args, { stdio: 'pipe', env }), `http://127.0.0.1:${listen}`)
}

async function proxyOf(child: ChildProcess, url: string): Promise<Proxy> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said += chunk
    })
  }
  const ended = once(child, 'exit')
  const proxy = {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`The proxy ended: ${said}`)
    const reply = await send(proxy, {}, { accept: 'application/json' }).catch(() => undefined)
    if (reply) await text(reply)
    return reply?.statusCode
  }
  await expect.poll(answers).toBe(400)
  return proxy
}
