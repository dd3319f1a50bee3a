// What somebody does who has never been here, step by step, as they would type it: in an empty home, on Node 20, with a
// fresh clone. `npm run newcomer` prints each step with its time; long/newcomer.test.ts runs the same steps as tests.
// Needs Linux, git, bash, curl, `script`, and the registry of npm.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { freePort } from './free-port.mjs'

const ROOT = resolve(import.meta.dirname, '../..')
const OLD_NODE = 20
/** Where nobody listens, so that no server of this machine is found. */
const NOBODY = 'http://127.0.0.1:9'
const NO_SERVERS = JSON.stringify({ KoboldCPP: 9, Ollama: 9, 'llama.cpp': 9, 'LM Studio': 9 })
const NODE_WANTED =
  /AI Ticket needs Node 22\.19 or newer; this is 20\.[\d.]+\. Install a newer one from https:\/\/nodejs\.org/
const STACK_TRACE = /^\s+at .+:\d+:\d+\)?$/m

/** The home of the newcomer, and what they have running. */
export function openVisit() {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'ai-ticket-newcomer-')))
  const running = new Set()
  const visit = { home, clone: join(home, 'ai-ticket'), project: join(home, 'my-project'), running }
  return {
    ...visit,
    environment: environmentOf(home),
    async close() {
      for (const program of [...running]) await program.stop()
      rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
}

/** What reaches the registry (certificates, proxies) stays; what configures npm, Node or AI Ticket goes. */
function environmentOf(home) {
  const ours =
    /^(npm_|INIT_CWD$|NODE_(ENV|OPTIONS|PATH)$|VITEST|AI_TICKET_|KOBOLDCPP_|OTEL_|XDG_|PORT$|HOST$|LOG_LEVEL$|CI$|WORKSPACE_NODE$|TURBO_)/
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name))
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules|\.toolchain/.test(folder))
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    PATH: [...oldNode(home, path), ...path].join(delimiter),
    npm_config_registry: registry,
    NO_COLOR: '1',
    START_PORTS: NO_SERVERS,
  }
}

/** The folder of a Node 20: the one of this machine, or one that npm brings. Empty: the first on the path is it. */
function oldNode(home, path) {
  const versionOf = (folder) => {
    try {
      return execFileSync(join(folder, 'node'), ['--version'], { encoding: 'utf8' })
    } catch {
      return ''
    }
  }
  const found = path.filter((folder) => existsSync(join(folder, 'node')))
  if (found[0] && versionOf(found[0]).startsWith(`v${OLD_NODE}.`)) return []
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(home, '.node20')
  mkdirSync(folder)
  execFileSync(
    'npm',
    ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${name}@${OLD_NODE}`],
    {
      stdio: 'ignore',
    },
  )
  return [join(folder, 'node_modules', name, 'bin')]
}

/** Starts a command line in a shell, in a process group of its own. */
function start(visit, line, { cwd = visit.clone, env = {} } = {}) {
  const child = spawn('bash', ['-c', line], {
    cwd,
    env: { ...visit.environment, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const program = { line, out: '', err: '', child, code: undefined }
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    program.out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    program.err += chunk
  })
  program.ended = once(child, 'close').then(([code]) => {
    program.code = code
    visit.running.delete(program)
    return program
  })
  program.stop = async () => {
    if (program.code === undefined) process.kill(-child.pid, 'SIGTERM')
    const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 10_000)
    await program.ended
    clearTimeout(late)
  }
  visit.running.add(program)
  return program
}

/** Runs a command line to its end. */
async function run(visit, line, options = {}) {
  const program = start(visit, line, options)
  program.child.stdin.end()
  return await program.ended
}

async function until(program, isSo, what) {
  while (!isSo()) {
    if (program.code !== undefined)
      throw new Error(`${program.line} ended before ${what}:\n${shown(program)}`)
    await sleep(50)
  }
}

const shown = ({ line, code, out, err }) => `${line}\nexit ${code}\nstdout: ${out}\nstderr: ${err}`

/** Fails where the program did not end so, or said something else; a stack trace is never right. */
function expectEnd(program, { code, out, err }) {
  const said = { code: program.code, out: program.out, err: program.err }
  const fits = (pattern, text) => pattern === undefined || pattern.test(text)
  if (said.code === code && fits(out, said.out) && fits(err, said.err) && !STACK_TRACE.test(said.err)) return
  throw new Error(
    `Expected exit ${code}, stdout ${out}, stderr ${err}, and no stack trace.\n${shown(program)}`,
  )
}

/** `npm start` on a port, once it listens. */
async function startServer(visit, { args = '', env = {} } = {}) {
  const port = await freePort()
  const server = start(visit, `npm start -- --port ${port} ${args}`, { env })
  await until(server, () => server.out.includes(`Listening on http://127.0.0.1:${port}`), 'it listened')
  return { ...server, port, url: `http://127.0.0.1:${port}`, program: server }
}

/** The first one that the README shows. */
function firstCurl() {
  const line = /^curl .+$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[0]
  if (line === undefined) throw new Error('The README has no line with curl.')
  return line
}

const ask = 'npm run --silent ai-ticket -- ask'

/** What the newcomer does, in order; each step builds on those before. */
export const STEPS = [
  {
    name: 'clone',
    async run(visit) {
      const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
        cwd: ROOT,
      }).toString()
      for (const path of listed.split('\0').filter((one) => one !== '' && existsSync(join(ROOT, one)))) {
        cpSync(join(ROOT, path), join(visit.home, 'origin', path))
      }
      const who = '-c user.name=Newcomer -c user.email=newcomer@example.org'
      const made = await run(
        visit,
        `git init -q -b main && git add -A && git ${who} commit -qm All && git clone -q . ../ai-ticket`,
        { cwd: join(visit.home, 'origin') },
      )
      expectEnd(made, { code: 0 })
      rmSync(join(visit.home, 'origin'), { recursive: true })
      expectEnd(await run(visit, 'node --version'), { code: 0, out: /^v20\./ })
    },
  },
  {
    name: 'npm start -- --once, the first time',
    async run(visit) {
      expectEnd(await run(visit, 'npm start -- --once'), {
        code: 0,
        out: /This is the AI Ticket simulator, not a language model\./,
        err: /No model server found on this machine: answers come from the built-in simulator.*\nTo use a real one: npm start -- --backend openai=/,
      })
      expectEnd(await run(visit, 'git status --porcelain'), { code: 0, out: /^$/ })
    },
  },
  {
    name: 'npm start, and the first curl of the README',
    async run(visit) {
      const server = await startServer(visit)
      const curl = firstCurl().replace('127.0.0.1:5000', `127.0.0.1:${server.port}`)
      const answered = await run(visit, `${curl} --silent --show-error --fail-with-body`, { cwd: visit.home })
      expectEnd(answered, { code: 0, out: /"completion":"This is the AI Ticket simulator/ })
      visit.server = server
    },
  },
  {
    name: 'npm run ai-ticket -- ask, with a server that runs',
    async run(visit) {
      const env = { AI_TICKET_SERVER: visit.server.url }
      expectEnd(await run(visit, `${ask} "Why is the sky blue?"`, { env }), {
        code: 0,
        out: /^This is the AI Ticket simulator, not a language model\..+\n$/,
        err: /^$/,
      })
    },
  },
  {
    name: 'a second npm start beside the first',
    async run(visit) {
      expectEnd(await run(visit, 'npm start -- --port 0'), {
        code: 73,
        err: /Another process uses the tickets in \.\/\.ai-ticket\. Stop it, or give this one a different folder \(AI_TICKET_DATA_DIR\)\./,
      })
    },
  },
  {
    name: 'the port is taken',
    async run(visit) {
      const { port } = visit.server
      const env = { AI_TICKET_DATA_DIR: join(visit.home, 'other-tickets') }
      expectEnd(await run(visit, `npm start -- --port ${port}`, { env }), {
        code: 1,
        err: new RegExp(
          `Port ${port} on 127\\.0\\.0\\.1 is taken\\. Stop the program that has it, or choose another: --port ${port + 1}`,
        ),
      })
    },
  },
  {
    name: 'Ctrl-C ends npm start, and no server is left',
    async run(visit) {
      await visit.server.program.stop()
      expectEnd(await run(visit, `${ask} --server ${visit.server.url} Hello`), {
        code: 69,
        err: new RegExp(
          `api_connection_error: No AI Ticket server answers at ${visit.server.url}\\. Start it, or name another with --server\\.`,
        ),
      })
    },
  },
  {
    name: 'no model server',
    async run(visit) {
      expectEnd(await run(visit, `${ask} --kobold-url ${NOBODY} Hello`), {
        code: 69,
        err: /api_connection_error: Backend kobold \(chat\) cannot be reached: it refuses the connection\. Start it, load its model, or correct its URL\.\n/,
      })
    },
  },
  {
    name: 'a wrong URL',
    async run(visit) {
      expectEnd(await run(visit, `${ask} --kobold-url ftp://localhost:5001 Hello`), {
        code: 78,
        err: /--kobold-url.* must be an http or https address .*, like http:\/\/localhost:5001\. Correct it/,
      })
      expectEnd(await run(visit, `${ask} --kobold-url http://no-such-box.invalid:5001 Hello`), {
        code: 69,
        err: /api_connection_error: Backend kobold \(chat\) cannot be reached: its host name is not known; check the URL\.\n/,
      })
    },
  },
  {
    name: 'a wrong flag',
    async run(visit) {
      expectEnd(await run(visit, `${ask} --modle qwen Hello`), { code: 2, err: /--modle.*--model/s })
    },
  },
  {
    name: 'a wrong key',
    async run(visit) {
      const server = await startServer(visit, { env: { AI_TICKET_API_KEYS: 'the-right-key' } })
      const wrong = await run(visit, `${ask} --server ${server.url} Hello`, {
        env: { AI_TICKET_API_KEYS: 'a-wrong-key' },
      })
      const right = await run(visit, `${ask} --server ${server.url} Hello`, {
        env: { AI_TICKET_API_KEYS: 'the-right-key' },
      })
      await server.program.stop()
      expectEnd(wrong, { code: 77, err: /unauthorised: .*AI_TICKET_API_KEYS/s })
      expectEnd(right, { code: 0 })
    },
  },
  {
    name: 'a batch of 100, Ctrl-C in the middle, and the same command again',
    async run(visit) {
      const port = await freePort()
      const simulator = start(
        visit,
        `npm run --silent exec -- node packages/testkit/dist/bin.js --port ${port} --tokens-per-second 300`,
      )
      await until(simulator, () => simulator.out.includes('KOBOLDCPP_API_URL='), 'it listened')
      const ids = Array.from({ length: 100 }, (_, index) => `line-${index + 1}`)
      const lines = ids.map((id) =>
        JSON.stringify({ id, content: `Say ${id}.`, parameters: { max_tokens: 20 } }),
      )
      writeFileSync(join(visit.home, 'events.jsonl'), `${lines.join('\n')}\n`)
      const output = join(visit.home, 'answers.jsonl')
      const answers = () => (existsSync(output) ? readFileSync(output, 'utf8').trim().split('\n') : [])
      const command = `npm run --silent ai-ticket -- batch ../events.jsonl -o ../answers.jsonl --kobold-url http://127.0.0.1:${port}`
      // In a terminal: Ctrl-C reaches npm, the shell and the program at once.
      const first = start(visit, `script --quiet --return --command '${command}' /dev/null`, {
        env: { TERM: 'dumb' },
      })
      await until(first, () => answers().length >= 10, '10 lines were answered')
      first.child.stdin.write('\x03')
      await first.ended
      const done = answers().length
      if (done >= 100) throw new Error(`The batch had ended before Ctrl-C.\n${shown(first)}`)
      expectEnd(first, {
        code: 130,
        out: /To go on: ai-ticket batch \.\.\/events\.jsonl -o \.\.\/answers\.jsonl/,
      })
      expectEnd(await run(visit, command), { code: 0, err: /100 lines: 100 answered/ })
      await simulator.stop()
      const seen = answers().map((line) => JSON.parse(line).id)
      if (!isDeepStrictEqual(seen.toSorted(), ids.toSorted())) {
        throw new Error(
          `Each line has to be answered once: ${seen.length} answers, ${new Set(seen).size} ids.`,
        )
      }
    },
  },
  {
    name: 'install the packed packages in an empty project',
    async run(visit) {
      mkdirSync(visit.project)
      const packages = publishedIn(visit.clone)
      for (const { folder } of packages) {
        const packed = await run(
          visit,
          `npm run --silent exec -- pnpm --dir ${folder} pack --pack-destination ${visit.home}/tarballs`,
        )
        expectEnd(packed, { code: 0 })
      }
      const tarballs = readdirSync(join(visit.home, 'tarballs')).map((name) => `file:../tarballs/${name}`)
      if (tarballs.length !== packages.length)
        throw new Error(`Packages pack to one name: ${tarballs.join(', ')}`)
      const files = Object.fromEntries(packages.map(({ name, file }) => [name, `file:../tarballs/${file}`]))
      const manifest = {
        name: 'my-project',
        private: true,
        type: 'module',
        dependencies: files,
        devDependencies: {
          '@types/node': '24.19.2',
          'typescript-5.9': 'npm:typescript@5.9.3',
          'typescript-7': 'npm:typescript@7.0.2',
        },
        overrides: Object.fromEntries(packages.map(({ name }) => [name, `$${name}`])),
      }
      writeFileSync(join(visit.project, 'package.json'), JSON.stringify(manifest))
      expectEnd(
        await run(visit, 'npm install --no-audit --no-fund --loglevel=error', { cwd: visit.project }),
        { code: 0 },
      )
    },
  },
  ...['5.9', '7'].map((version) => ({
    name: `TypeScript ${version}: an event compiles, a typo does not`,
    async run(visit) {
      const file = (field) => `import { onEvent } from '@ai-ticket/core'

const { completion, error, details } = await onEvent({ content: 'Hello', parameters: { ${field}: 100 } })
const text: string = error ? details : completion
console.log(text)
`
      writeFileSync(join(visit.project, 'event.ts'), file('max_tokens'))
      writeFileSync(join(visit.project, 'typo.ts'), file('max_token'))
      const flags = '--noEmit --strict --target es2023 --module nodenext --types node --pretty false'
      const tsc = `node node_modules/typescript-${version}/bin/tsc ${flags}`
      const options = { cwd: visit.project }
      expectEnd(await run(visit, `${tsc} event.ts`, options), { code: 0, out: /^$/ })
      const typo = await run(visit, `${tsc} typo.ts`, options)
      if (typo.code === 0) throw new Error(`The typo compiles.\n${shown(typo)}`)
      expectEnd(typo, { code: typo.code, out: /typo\.ts\(3,\d+\): error TS\d+: .*max_token/s })
    },
  })),
  ...['ai-ticket ask Hello', 'ai-ticket-server'].map((line) => ({
    name: `npx ${line} on Node ${OLD_NODE}`,
    async run(visit) {
      const ended = await run(visit, `npx --offline --no -- ${line}`, { cwd: visit.project })
      expectEnd(ended, { code: 78, out: /^$/, err: NODE_WANTED })
    },
  })),
  {
    name: `onEvent on Node ${OLD_NODE}`,
    async run(visit) {
      writeFileSync(
        join(visit.project, 'event.js'),
        `import { onEvent } from '@ai-ticket/core'\nconst { error, details } = await onEvent({ content: 'Hello' })\nconsole.log(error, details)\n`,
      )
      expectEnd(await run(visit, 'node event.js', { cwd: visit.project }), {
        code: 0,
        out: new RegExp(`^configuration_error ${NODE_WANTED.source}`),
      })
    },
  },
  {
    name: 'the same project on the Node that npm start brought',
    async run(visit) {
      const { version, folder } = broughtNode(visit.clone)
      const env = { PATH: `${folder}${delimiter}${visit.environment.PATH}` }
      const options = { cwd: visit.project, env }
      expectEnd(await run(visit, 'node --version', options), { code: 0, out: new RegExp(`^v${version}`) })
      expectEnd(
        await run(visit, `npx --offline --no -- ai-ticket ask --kobold-url ${NOBODY} Hello`, options),
        {
          code: 69,
          err: /api_connection_error: /,
        },
      )
      expectEnd(await run(visit, 'npx --offline --no -- ai-ticket-server --version', options), {
        code: 0,
        out: /^\d+\.\d+\.\d+\n$/,
      })
    },
  },
]

function publishedIn(clone) {
  const root = join(clone, 'packages')
  return readdirSync(root).flatMap((folder) => {
    const path = join(root, folder, 'package.json')
    if (!existsSync(path)) return []
    const { name, version, private: isPrivate } = JSON.parse(readFileSync(path, 'utf8'))
    const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
    return isPrivate ? [] : [{ name, file, folder: dirname(path) }]
  })
}

function broughtNode(clone) {
  const modules = join(clone, '.toolchain/node_modules')
  const name = readdirSync(modules).find((one) => one.startsWith('node-'))
  if (name === undefined) throw new Error(`npm start brought no Node into ${modules}.`)
  const { version } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'))
  return { version, folder: join(modules, name, 'bin') }
}

/** Runs all steps, prints each with its time, and ends with 1 at the first that fails: the next ones build on it. */
async function main() {
  const visit = openVisit()
  const from = performance.now()
  const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s`
  try {
    for (const { name, run: step } of STEPS) {
      const began = performance.now()
      await step(visit)
      process.stdout.write(`${seconds(began)}  ${name}\n`)
    }
    process.stdout.write(`${seconds(from)}  in all, ${STEPS.length} steps\n`)
  } catch (error) {
    process.stdout.write(
      `${error instanceof Error ? error.message : error}\nA newcomer would be stuck here.\n`,
    )
    process.exitCode = 1
  } finally {
    await visit.close()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
