import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../workspace/free-port.mjs'
import { buildStage } from './build-stage.ts'
import { readDockerIgnore } from './docker-ignore.ts'
import { environmentOf, execWords, lastOf, parseDockerfile, type Stage } from './dockerfile.ts'
import { type ImageFile, listContent, packageNames } from './image-content.ts'

// The Dockerfile without Docker: its steps below a folder, and then what it starts. Not proven: that the images it
// names exist, and that Node runs in the second one.
const CONTEXT = resolve(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(CONTEXT, path), 'utf8')
const stages = parseDockerfile(read('packages/ai-ticket-server/Dockerfile'))
const build = stageAt(0)
const image = stageAt(1)

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ai-ticket-image-')))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const app = join(folder, 'image', lastOf(image, 'WORKDIR') ?? '')
let files: ImageFile[] = []

beforeAll(() => {
  const place = {
    context: CONTEXT,
    ignore: readDockerIgnore(read('.dockerignore')),
    environment: buildEnvironment(),
  }
  buildStage(build, { ...place, root: join(folder, 'build'), stages: {} })
  buildStage(image, { ...place, root: join(folder, 'image'), stages: { build: join(folder, 'build') } })
  // What still leads there leads nowhere from now on.
  rmSync(join(folder, 'build'), { recursive: true })
  files = listContent(app)
})

/** Of this machine, less the tools and the variables of this workspace. */
function buildEnvironment(): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(`${CONTEXT}/node_modules`))
  const others = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|INIT_CWD$|NODE_ENV$|VITEST|WORKSPACE_)/.test(name),
  )
  return { ...Object.fromEntries(others), PATH: path.join(delimiter) }
}

test('the context holds what the image is built from, and nothing else', () => {
  const { keeps } = readDockerIgnore(read('.dockerignore'))
  expect(
    ['package.json', 'pnpm-lock.yaml', 'packages/core/src/index.ts', 'examples/package.json'].filter(keeps),
  ).toHaveLength(4)
  expect(
    [
      '.git/config',
      '.env',
      'node_modules/ky/index.js',
      'packages/core/node_modules/ky/index.js',
      'packages/core/dist/index.js',
      'packages/core/src/line.test.ts',
      'packages/core/test/simulated-backend.ts',
      'packages/ai-ticket-server/long/dockerfile.ts',
      'examples/first-event.ts',
      'docs/errors.md',
    ].filter(keeps),
  ).toEqual([])
})

test('ours went in as a build: no sources, no tests, nothing of the workspace', () => {
  const ours = files
    .map(({ path }) => path)
    .filter((path) => !path.includes('node_modules/') || path.includes('node_modules/@ai-ticket/'))
  expect(ours).toEqual(
    expect.arrayContaining(['LICENSE', 'package.json', 'dist/serve.js', 'dist/cli.js', 'healthcheck.mjs']),
  )
  expect(
    ours.filter((path) =>
      /(^|\/)(src|test|long|fixtures|\.toolchain|pnpm-[a-z]+\.yaml)(\/|$)|\.test\./.test(path),
    ),
  ).toEqual([])
})

test('no dependency of development and no package manager went in', () => {
  const names = packageNames(app, files)
  expect(names).toEqual(
    expect.arrayContaining(['@ai-ticket/core', '@ai-ticket/http-server', 'fastify', 'undici']),
  )
  expect(names.filter((name) => developmentOnly().includes(name))).toEqual([])
  expect(names.filter((name) => /^(npm|yarn|corepack|pnpm|@pnpm\/.*)$/.test(name))).toEqual([])
})

/** What any package of the workspace names under devDependencies, and none under dependencies. */
function developmentOnly(): string[] {
  const manifests = globSync(['package.json', '*/package.json', 'packages/*/package.json'], {
    cwd: CONTEXT,
  }).map((path) => JSON.parse(read(path)))
  const production = new Set(
    // Of the optional peers pnpm takes those that are there: the API of OpenTelemetry, with which traces can be switched on.
    manifests.flatMap(({ name, dependencies = {}, optionalDependencies = {}, peerDependencies = {} }) =>
      /server|core/.test(name)
        ? Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
        : [],
    ),
  )
  return manifests
    .flatMap(({ devDependencies = {} }) => Object.keys(devDependencies))
    .filter((name) => !production.has(name))
}

test('every link stays inside, and a user without rights can read everything', () => {
  const outside = files.filter(({ target }) => target !== undefined && !target.startsWith(`${app}/`))
  expect(outside).toEqual([])
  const closed = files.filter(({ mode, target }) => target === undefined && (mode & 0o004) === 0)
  expect(closed).toEqual([])
})

test('the image has no shell or package manager, and a user without rights', () => {
  expect(image.image).toMatch(/^gcr\.io\/distroless\/nodejs24-.*:nonroot$/)
  expect(image.instructions.filter(({ keyword }) => keyword === 'RUN')).toEqual([])
  expect(lastOf(image, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  expect(lastOf(image, 'STOPSIGNAL')).toBe('SIGTERM')
})

test('it starts, is healthy, answers an event and ends on SIGTERM', async () => {
  await using simulator = await startKoboldSimulator({ answer: () => 'From the box.' })
  const port = await freePort()
  const environment = {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_ALLOW_ANONYMOUS: 'true',
    PORT: String(port),
  }
  expect(await exitCode(startInImage('HEALTHCHECK', environment))).toBe(1)

  const server = startInImage('ENTRYPOINT', environment)
  const exited = exitCode(server)
  await lineThatSays(server, 'Listening on')
  expect(await exitCode(startInImage('HEALTHCHECK', environment))).toBe(0)
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  expect(await health.json()).toMatchObject({ status: 'healthy' })
  const answer = await fetch(`http://127.0.0.1:${port}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'Hello' }),
  })
  expect(await answer.json()).toMatchObject({ completion: 'From the box.' })

  server.kill('SIGTERM')
  expect(await exited).toBe(0)
})

test('without keys it refuses to start, and says what to set', async () => {
  const server = startInImage('ENTRYPOINT', { PORT: '0' })
  const [code, errors] = await Promise.all([exitCode(server), text(server.stderr)])
  expect(code).not.toBe(0)
  expect(errors).toContain('AI_TICKET_API_KEYS')
})

function stageAt(index: number): Stage {
  const stage = stages[index]
  if (stage === undefined) throw new Error(`The Dockerfile has ${stages.length} stages.`)
  return stage
}

/** What the image runs, with this machine's Node, and nothing in the environment but what the image says. */
function startInImage(keyword: 'ENTRYPOINT' | 'HEALTHCHECK', environment: Record<string, string>) {
  const [node, ...args] = execWords(lastOf(image, keyword) ?? '')
  expect(node).toBe('/nodejs/bin/node')
  return spawn(process.execPath, args, {
    cwd: app,
    // The volume is Docker's.
    env: { ...environmentOf(image), AI_TICKET_DATA_DIR: join(folder, 'tickets'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit')
  return code
}

async function lineThatSays(child: { stdout: Readable }, words: string): Promise<void> {
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line.includes(words)) return
  }
  throw new Error(`The program ended without saying "${words}":\n${lines.join('\n')}`)
}
