import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { importsOf, type PackedPackage, PUBLISHED, packPackage, ROOT } from '../test/published-packages.ts'
import { createTemporaryFolder } from '../test/temporary-folder.ts'

// An empty project of somebody else, with the packages as they would come from the registry.
const project = createTemporaryFolder()
const tarballs = createTemporaryFolder()
afterAll(() => {
  project[Symbol.dispose]()
  tarballs[Symbol.dispose]()
})

const ENTRIES = PUBLISHED.flatMap(importsOf)

/**
 * What reaches the registry (certificates, proxies, caches) stays; what would make npm take itself for a script of the
 * workspace, or configure the server, goes.
 */
const OURS = /^(npm_|INIT_CWD$|NODE_(ENV|OPTIONS)$|VITEST|AI_TICKET_|KOBOLDCPP_|PORT$|HOST$|LOG_LEVEL$)/
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)))

const run = (program: string, args: readonly string[]) =>
  promisify(execFile)(program, args, { cwd: project.path, env: ENVIRONMENT })

const write = (path: string, content: string | object) =>
  writeFileSync(
    join(project.path, path),
    typeof content === 'string' ? content : `${JSON.stringify(content, undefined, 2)}\n`,
  )

beforeAll(async () => {
  const packed = await Promise.all(PUBLISHED.map((pkg) => packPackage(pkg, tarballs.path)))
  write('package.json', manifest(packed))
  cpSync(join(ROOT, 'examples/first-event.ts'), join(project.path, 'first-event.ts'))
  await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
})

/** Every package as a file, and the same files where the packages name each other. */
function manifest(packed: readonly PackedPackage[]) {
  const files = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]))
  return {
    name: 'somebody-else',
    private: true,
    type: 'module',
    dependencies: files,
    devDependencies: { '@types/node': '24.19.2' },
    overrides: Object.fromEntries(Object.keys(files).map((name) => [name, `$${name}`])),
  }
}

const endingWith = (end: RegExp) => ENTRIES.filter((entry) => end.test(entry))

// msw's own declarations want the names of the browser; those of pg-boss 12.38 name a type that they do not export.
test.each([
  {
    lib: ['es2024', 'esnext.disposable'],
    skipLibCheck: false,
    entries: endingWith(/(?<!\/msw|\/postgres)$/),
  },
  { lib: ['es2024', 'dom'], skipLibCheck: false, entries: endingWith(/\/msw$/) },
  { lib: ['es2024', 'esnext.disposable'], skipLibCheck: true, entries: endingWith(/\/postgres$/) },
])(
  '$entries type-check under nodenext, skipLibCheck $skipLibCheck',
  async ({ lib, skipLibCheck, entries }) => {
    expect(entries.length).toBeGreaterThan(0)
    write('entries.ts', entries.map((entry, index) => `export * as entry${index} from '${entry}'\n`).join(''))
    write('tsconfig.json', {
      compilerOptions: {
        target: 'es2023',
        lib,
        module: 'nodenext',
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck,
        noEmit: true,
      },
      files: ['entries.ts', 'first-event.ts'],
    })
    const checked = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.', '--pretty', 'false'])
    await expect(checked.catch(({ stdout }) => ({ stdout }))).resolves.toMatchObject({ stdout: '' })
  },
)

test.each(ENTRIES)('%s loads', async (entry) => {
  await run(process.execPath, ['--input-type=module', '-e', `await import('${entry}')`])
})

test('one event in process, against the simulator of the installed testkit', async () => {
  const { stdout, stderr } = await run(process.execPath, ['first-event.ts'])
  expect(stdout).toMatch(/^This is the AI Ticket simulator/)
  expect(stderr).not.toMatch(/Error/)
})

test('npx ai-ticket-server answers an event, without the network', async () => {
  await using simulator = await startKoboldSimulator({ answer: () => 'From the box.' })
  await using server = await startWithNpx(['--kobold-url', simulator.url])
  const response = await fetch(`${server.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'event-1', content: 'Hello' }),
  })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ id: 'event-1', completion: 'From the box.' })
})

test.each([
  ['ai-ticket-server', '--version'],
  ['ai-ticket', '--version'],
  ['kobold-simulator', '--help'],
])('npx %s %s', async (bin, flag) => {
  const { stdout } = await run('npx', ['--offline', '--', bin, flag])
  expect(stdout).toMatch(flag === '--version' ? /^\d+\.\d+\.\d+\n$/ : /kobold-simulator/)
})

async function startWithNpx(args: readonly string[]) {
  const port = await freePort()
  // In a process group of its own: npx does not hand signals through the shell that it starts.
  const child = spawn('npx', ['--offline', '--', 'ai-ticket-server', '--port', String(port), ...args], {
    cwd: project.path,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  await lineThatSays(child, 'Listening on')
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit')
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      await exited
    },
  }
}

async function lineThatSays(child: ChildProcess, words: string): Promise<void> {
  if (child.stdout === null) throw new Error('The output of the program is not piped.')
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line.includes(words)) return
  }
  throw new Error(`The program ended without saying "${words}":\n${lines.join('\n')}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return address.port
}
