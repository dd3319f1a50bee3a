import { existsSync, globSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlRoutes, createSeries } from '@ai-ticket/control'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { anthropicDoor, koboldDoor, responsesDoor } from '@ai-ticket/doors'
import { createMetrics, createServer } from '@ai-ticket/http-server'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { createSqliteStore, createTicketDesk } from '@ai-ticket/tickets'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import { describe, expect, test } from 'vitest'
import { sourceList } from '../../ai-ticket-server/src/config/settings.ts'
import { type CodeBlock, codeBlocks, markOf, pages, placeOf, ROOT, readPage } from './markdown.ts'
import { expectOutput } from './observed-output.ts'
import { runProgram } from './run-program.ts'
import { commandsOf } from './shell-words.ts'

const blocks = pages.flatMap(codeBlocks)
const shell = blocks.filter(({ language }) => language === 'sh')

const VARIABLES: readonly string[] = [
  'KOBOLDCPP_TEST_URL',
  ...sourceList.map(({ environment }) => environment),
]

/** Where the programs of a page live, to ask them for their flags. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'ai-ticket-server': ['packages/ai-ticket-server/dist/serve.js'],
  'ai-ticket ask': ['packages/ai-ticket-server/dist/cli.js', 'ask'],
  'ai-ticket batch': ['packages/ai-ticket-server/dist/cli.js', 'batch'],
  'ai-ticket serve': ['packages/ai-ticket-server/dist/cli.js', 'serve'],
  'ai-ticket tickets list': ['packages/ai-ticket-server/dist/cli.js', 'tickets', 'list'],
  'ai-ticket line': ['packages/ai-ticket-server/dist/cli.js', 'line'],
  'ai-ticket health': ['packages/ai-ticket-server/dist/cli.js', 'health'],
  'ai-ticket config show': ['packages/ai-ticket-server/dist/cli.js', 'config', 'show'],
  'ai-ticket completion': ['packages/ai-ticket-server/dist/cli.js', 'completion'],
  'kobold-simulator': ['packages/testkit/dist/bin.js'],
  'npm run load': ['packages/bench/src/load.ts'],
  'npm run soak': ['packages/bench/src/soak.ts'],
  'npm run torture': ['packages/bench/src/torture.ts'],
}

const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
).scripts

interface Command {
  readonly place: string
  readonly words: readonly string[]
}

const commands = shell.flatMap((block) =>
  commandsOf(block.code).map((words): Command => ({ place: placeOf(block), words })),
)

const isAssignment = (word: string) => /^[A-Z][A-Z0-9_]*=/.test(word)

/** The program, its arguments, without variables, `npx` and what npm calls ours. */
function programOf({ words }: Command): { name: string; args: readonly string[] } {
  const rest = words.slice(words.findIndex((word) => !isAssignment(word)))
  const [first = '', ...args] = rest
  if (first === 'npx') return { name: args[0] ?? '', args: args.slice(1) }
  if (first !== 'npm' || args[0] !== 'run') return { name: first, args }
  const script = args[1] ?? ''
  return { name: script === 'ai-ticket' ? script : `npm run ${script}`, args: args.slice(3) }
}

/** Under which `PROGRAMS` may have it: with its command, and the command of that. */
const namesOf = (name: string, [first, second]: readonly string[]): string[] => [
  `${name} ${first} ${second}`,
  `${name} ${first}`,
  name,
]

test('variables in front of commands are known', () => {
  const unknown = commands.flatMap(({ words }) =>
    words.filter(isAssignment).filter((word) => !VARIABLES.includes(word.split('=')[0] ?? '')),
  )
  expect(unknown).toEqual([])
})

test('programs of ours get flags that they know', async () => {
  const help = new Map<string, string>()
  for (const [name, args] of Object.entries(PROGRAMS)) {
    help.set(name, (await runProgram([...args, '--help'])).out)
  }
  let checked = 0
  const unknown = commands.filter((command) => {
    const { name, args } = programOf(command)
    const known = namesOf(name, args).flatMap((one) => help.get(one) ?? [])[0]
    if (known === undefined) return false
    checked++
    const flags = args.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0] ?? '')
    return flags.some((flag) => !new RegExp(`${flag}(?![\\w-])`).test(known))
  })
  expect(unknown).toEqual([])
  expect(checked).toBeGreaterThan(5)
})

test('a machine with Node 20 and npm alone can run every script of the root', () => {
  const foreign = Object.entries(scripts).filter(
    ([, line]) => !/^node packages\/workspace\/bootstrap\.mjs [\w:-]+$/.test(line),
  )
  expect(foreign).toEqual([])
  const named = pages.flatMap((page) => [...readPage(page).matchAll(/\bnpm run ([\w:-]+)/g)])
  expect(named.map(([, name = '']) => name).filter((name) => !(name in scripts))).toEqual([])
  expect(named.length).toBeGreaterThan(10)
})

test('every script of the root is a command of bootstrap.mjs', async () => {
  const bootstrap = 'packages/workspace/bootstrap.mjs'
  const { err } = await runProgram([bootstrap, 'nonsense'])
  const [, list = ''] = /use one of (.*)/.exec(err) ?? []
  const missing = Object.values(scripts).filter(
    (line) => !list.split(', ').includes(line.split(' ')[2] ?? ''),
  )
  expect(missing).toEqual([])
})

test('scripts and files exist, and no command is of a kind that nobody checks', () => {
  const wrong = commands.filter((command) => {
    const { name, args } = programOf(command)
    const [first = ''] = args.filter((word) => !word.startsWith('-'))
    if (namesOf(name, args).some((one) => one in PROGRAMS)) return false
    if (name === 'npm') return !(first in scripts || first === 'install')
    if (name.startsWith('npm run ')) return !(name.slice('npm run '.length) in scripts)
    if (name.includes('/')) return !existsSync(join(ROOT, name))
    if (name === 'node') return !existsSync(join(ROOT, first))
    if (name === 'docker')
      return args.includes('-f') && !existsSync(join(ROOT, args[args.indexOf('-f') + 1] ?? ''))
    if (name === 'cp') return !existsSync(join(ROOT, first))
    return !['curl', 'git', 'cd', 'jq', 'cat'].includes(name)
  })
  expect(wrong).toEqual([])
})

const batches = shell.filter(({ marks }) => marks.includes('batch'))

test.each(batches.map((block) => [placeOf(block), block] as const))(
  '%s runs, and says what the page says',
  async (_place, block) => {
    await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-'))
    const [words = []] = commandsOf(block.code)
    const { name, args } = programOf({ place: '', words })
    const inFolder = args.map((word) => (word === 'answers.jsonl' ? join(folder, word) : word))
    const { err, exitCode } = await runProgram([PROGRAMS[`${name} batch`]?.[0] ?? '', ...inFolder], {
      KOBOLDCPP_API_URL: simulator.url,
    })
    expect(exitCode).toBe(65)
    const output = outputOf(block)
    expectOutput(err.replaceAll(`${folder}/`, ''), output?.code ?? '', 'text')
  },
)

const curls = shell.filter(({ code }) => commandsOf(code).some(([name]) => name === 'curl'))

describe.concurrent('curl gets what the page says', () => {
  test.each(curls.map((block) => [placeOf(block), block] as const))('%s', async (_place, block) => {
    const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    const metrics = await createMetrics()
    const { observer } = metrics
    const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })], observer })
    const server = createServer({ dispatcher, metrics, version: '0.1.0' })
    const store = await createSqliteStore({ directory: ':memory:' })
    const desk = createTicketDesk({ store, dispatcher })
    await desk.start()
    server.register(ticketRoutes, { store, desk })
    server.register(controlRoutes, {
      dispatcher,
      tickets: store,
      version: '0.1.0',
      worker: 'desk',
      store: 'sqlite',
      history: 'full',
      takesCallbacks: false,
      settings: async () => [],
      series: createSeries({ worker: 'desk' }),
      changer: { change: async () => ({ ok: true, changes: [] }), changes: () => [] },
    })
    for (const door of [koboldDoor, responsesDoor, anthropicDoor]) server.register(door)
    const base = await server.listen({ host: '127.0.0.1', port: 0 })
    try {
      const calls = commandsOf(block.code).filter(([name]) => name === 'curl')
      for (const words of calls) {
        const { address, init } = curlRequest(words, base)
        const reply = await fetch(address, init)
        // The feed does not end: its beginning is what there is.
        const body = address.endsWith('/feed') ? await firstOf(reply) : await reply.text()
        expect(`${reply.status} ${body}`).toMatch(new RegExp(`^${markOf(block, 'status') ?? 200} `))
        const output = outputOf(block)
        if (output) expectOutput(body, output.code, output.language)
      }
    } finally {
      await Promise.all([desk.close(), dispatcher.close(), server.close()])
      await store.close()
      await simulator.close()
    }
  })
})

async function firstOf({ body }: Response): Promise<string> {
  const { value } = (await body?.getReader().read()) ?? {}
  return new TextDecoder().decode(value)
}

function outputOf(block: CodeBlock): CodeBlock | undefined {
  const next = blocks[blocks.indexOf(block) + 1]
  return next?.page === block.page && next.marks.includes('output') ? next : undefined
}

test('curl 7.60 is enough for every line that shows it, in pages, examples, comments and help', () => {
  const files = globSync(['*.md', '{docs,examples,packages,.github}/**/*.{md,ts,mjs,yaml,yml,sh}'], {
    cwd: ROOT,
    exclude: (name) => name.endsWith('node_modules') || name.endsWith('dist'),
  })
  // Newer ones that people like to write.
  const tooNew = /\bcurl .*(--json|--fail-with-body|--no-progress-meter|--parallel|-Z)\b/
  const found = files.filter((file) =>
    readPage(file)
      .split('\n')
      .some((line) => tooNew.test(line)),
  )
  expect(found.filter((file) => !file.endsWith('docs-commands.test.ts'))).toEqual([])
  expect(files.length).toBeGreaterThan(500)
})

/** The same request as `curl` would send, to the server of the test. Throws for a flag that it does not know. */
function curlRequest(words: readonly string[], base: string): { address: string; init: RequestInit } {
  const headers = new Headers()
  let address = ''
  let body: string | undefined
  let method: string | undefined
  const rest = words.slice(1)
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (['-N', '-s', '-sN', '-i'].includes(word)) continue
    if (word === '-H') headers.append(...headerOf(rest.shift() ?? ''))
    else if (word === '-d') body = rest.shift()
    else if (word === '-X') method = rest.shift()
    else if (/^http:\/\/(127\.0\.0\.1|localhost):5000\//.test(word)) {
      const { pathname, search } = new URL(word)
      address = base + pathname + search
    } else throw new Error(`curl ${word} is not checked here.`)
  }
  if (body === undefined) return { address, init: { headers, ...(method && { method }) } }
  // What curl sends unless told otherwise.
  if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded')
  return { address, init: { method: method ?? 'POST', headers, body } }
}

function headerOf(text: string): [string, string] {
  const [name = '', value = ''] = text.split(/: *(.*)/s)
  return [name, value]
}
