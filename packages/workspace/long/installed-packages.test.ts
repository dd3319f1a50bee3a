import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../free-port.mjs'
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
    devDependencies: { '@types/node': '24.19.2', msw: '3.0.5', typescript: '5.9.3' },
    overrides: Object.fromEntries(Object.keys(files).map((name) => [name, `$${name}`])),
  }
}

/** Compilers that users of the packages have: the oldest that is supported, and the workspace's. */
const COMPILERS = ['5.9', '7'] as const

/** What a compiler says about files of the project. */
async function compile(compiler: (typeof COMPILERS)[number], files: readonly string[], options: object = {}) {
  write('tsconfig.json', {
    compilerOptions: {
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      ...options,
    },
    files,
  })
  const folder = compiler === '5.9' ? project.path : ROOT
  const checked = run(join(folder, 'node_modules/.bin/tsc'), ['-p', '.', '--pretty', 'false'])
  return (await checked.catch(({ stdout }: { stdout: string }) => ({ stdout }))).stdout
}

const TYPED = `import { type EventInput, onEvent } from '@ai-ticket/core'

const event: EventInput = { content: { messages: [{ role: 'user', content: 'Hi' }] }, timeout_ms: 5_000 }
const { completion, error } = await onEvent(event)
if (error === undefined) completion.toUpperCase()

const raw: unknown = JSON.parse('{"content": "Hi"}')
await onEvent(raw)
`

describe.each(COMPILERS)('with TypeScript %s', (compiler) => {
  test('an event compiles', async () => {
    write('typed.ts', TYPED)
    expect(await compile(compiler, ['typed.ts'])).toBe('')
  })

  test.each([
    ["{ contnet: 'Hi' }", "'contnet' does not exist in type 'EventInput'. Did you mean to write 'content'?"],
    ["{ content: 'Hi', max_tokens: 5 }", "'max_tokens' does not exist in type 'EventInput'"],
    ["{ content: 'Hi', parameters: { maxTokens: 5 } }", "Did you mean to write 'max_tokens'?"],
  ])('%s does not', async (event, said) => {
    write('typo.ts', `import { onEvent } from '@ai-ticket/core'\nawait onEvent(${event})\n`)
    expect(await compile(compiler, ['typo.ts'])).toContain(said)
  })
})

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
    for (const compiler of COMPILERS) {
      expect(await compile(compiler, ['entries.ts', 'first-event.ts'], { lib, skipLibCheck })).toBe('')
    }
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
