// Runs with whatever Node is there (20 is enough) and npm, and depends on nothing else.
// Brings the Node and the pnpm that the workspace needs through npm, into .toolchain, once;
// installs the packages when the lock file has changed; then runs one of the commands below.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

const NODE_VERSION = '24.21.0'
const PNPM_VERSION = '12.21.0'
const MINIMUM_NODE = [22, 19]
const PARENT_CHECK_MS = 250

const root = resolve(import.meta.dirname, '../..')
const BUILD = ['turbo', 'run', 'build', '--output-logs=errors-only']

const LINT = ['biome', 'ci', '.']
const KNIP = ['knip', '--no-config-hints', '--config', 'packages/workspace/knip.json']

/** A program of packages/bench, after everything that it runs against. */
const measured = (file) => ({
  steps: [
    ['turbo', 'run', 'build', '--filter=@ai-ticket/bench^...', '--output-logs=errors-only'],
    ['node', `packages/bench/src/${file}`],
  ],
})

/**
 * What each command runs, in order. The last step gets the arguments of the caller. The root scripts of package.json are
 * all here, so that each works with Node 20 and npm alone.
 */
const COMMANDS = {
  start: { steps: [BUILD, ['node', 'packages/workspace/start.mjs']], quiet: true },
  // Paths on its command line are those of the folder in which npm was called.
  'ai-ticket': {
    steps: [BUILD, ['node', join(root, 'packages/ai-ticket-server/dist/cli.js')]],
    quiet: true,
    folder: process.env.INIT_CWD,
  },
  build: { steps: [['turbo', 'run', 'build']] },
  typecheck: { steps: [['turbo', 'run', 'typecheck']] },
  lint: { steps: [LINT, KNIP] },
  format: { steps: [['biome', 'check', '--write', '.']] },
  structure: { steps: [['node', 'packages/workspace/structure.mjs']] },
  'test:unit': { steps: [['vitest', 'run']] },
  bench: measured('bench.ts'),
  'bench:claims': measured('tickets/bench-claims.ts'),
  'bench:tickets': measured('tickets.ts'),
  load: measured('load.ts'),
  soak: measured('soak.ts'),
  torture: measured('torture.ts'),
  test: {
    steps: [BUILD, LINT, KNIP, ['turbo', 'run', 'typecheck', '--output-logs=errors-only'], ['vitest', 'run']],
  },
  // The long forms: tests in `long/`, and those that run with more numbers when AI_TICKET_LONG is 1.
  long: {
    steps: [BUILD, ['vitest', 'run', '--config', 'packages/workspace/vitest.long.config.ts']],
    variables: { AI_TICKET_LONG: '1' },
  },
  site: { steps: [['node', 'packages/site/build-site.mjs']] },
  newcomer: { steps: [BUILD, ['node', 'packages/workspace/newcomer.mjs']] },
  // The version stands in the description of the API, too.
  'release:version': {
    steps: [
      ['changeset', 'version'],
      ['pnpm', 'install', '--lockfile-only'],
      ['pnpm', '--filter', 'ai-ticket-server', 'openapi'],
    ],
  },
  'release:publish': { steps: [BUILD, ['changeset', 'publish']] },
  run: { steps: [[]] },
}

const toolchain = join(root, '.toolchain')
const parent = process.ppid
const onWindows = process.platform === 'win32'

const [name = 'run', ...rest] = process.argv.slice(2)
const command = COMMANDS[name]
if (command === undefined) fail(`unknown command "${name}": use one of ${Object.keys(COMMANDS).join(', ')}`)
const { steps, quiet = false, variables = {}, folder = root } = command
const last = [...steps.at(-1), ...rest]
if (last.length === 0) fail('usage: node packages/workspace/bootstrap.mjs run PROGRAM [ARGUMENT…]')

const environment = { ...prepareToolchain(), ...variables }
if (!isInstalled()) {
  if (quiet) say('Installing the packages (once)')
  install()
}
if (quiet && !existsSync(join(root, 'packages/ai-ticket-server/dist'))) say('Building (once)')
for (const step of steps.slice(0, -1)) runStep(step)
await runLast(last)

/** The environment in which programs of the workspace, pnpm and a recent Node are found first. */
function prepareToolchain() {
  const { node, pnpm } = toolPackages()
  const tools = isNodeRecent() ? [pnpm] : [pnpm, node]
  const stamp = join(toolchain, 'stamp')
  const there = existsSync(stamp) ? readFileSync(stamp, 'utf8').split('\n') : []
  const wanted = tools.map((tool) => tool.specifier)
  // More may be there: npm would take away the Node that runs this when a program of the workspace calls it again.
  if (!wanted.every((specifier) => there.includes(specifier))) {
    fetchTools(wanted)
    writeFileSync(stamp, wanted.join('\n'))
  }
  const path = [join(root, 'node_modules', '.bin'), ...tools.map((tool) => tool.folder), process.env.PATH]
  return {
    ...process.env,
    PATH: path.join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    // In turbo.json's globalEnv: what one Node has built or checked does not count for another.
    WORKSPACE_NODE: isNodeRecent() ? process.versions.node : NODE_VERSION,
  }
}

function toolPackages() {
  const nodePlatform = onWindows ? 'win' : process.platform
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  const pnpmName = `exe.${process.platform}-${process.arch}${musl ? '-musl' : ''}`
  const nodeName = `node-${nodePlatform}-${process.arch}`
  if (musl && !isNodeRecent())
    fail(`npm has no Node for this Linux (musl): install Node ${MINIMUM_NODE.join('.')} or newer`)
  return {
    pnpm: {
      specifier: `@pnpm/${pnpmName}@${PNPM_VERSION}`,
      folder: join(toolchain, 'node_modules', '@pnpm', pnpmName),
    },
    node: {
      specifier: `${nodeName}@${NODE_VERSION}`,
      folder: join(toolchain, 'node_modules', nodeName, 'bin'),
    },
  }
}

function fetchTools(specifiers) {
  say(`Fetching ${specifiers.join(' and ')} with npm (once)`)
  mkdirSync(toolchain, { recursive: true })
  // Makes this folder the place to install into, instead of the workspace above it.
  writeFileSync(join(toolchain, 'package.json'), '{ "private": true }\n')
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync(onWindows ? 'npm.cmd' : 'npm', ['install', ...flags, ...specifiers], {
    cwd: toolchain,
    env: { ...process.env, NO_UPDATE_NOTIFIER: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: onWindows,
  })
  if (result.error) fail(`npm could not be started: ${result.error.message}`)
  if (result.status !== 0) fail(`npm could not install ${specifiers.join(' and ')}; see its message above`)
}

function isNodeRecent() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
}

function lockFile() {
  return readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
}

function installStamp() {
  return join(root, 'node_modules', '.ai-ticket-lock')
}

function isInstalled() {
  return existsSync(installStamp()) && readFileSync(installStamp(), 'utf8') === lockFile()
}

function install() {
  // NODE_ENV=production would leave out the tools; a question about old modules would wait for ever without a terminal.
  const { NODE_ENV: _, ...rest } = environment
  const flags = ['--frozen-lockfile', '--reporter=append-only', '--config.confirm-modules-purge=false']
  runStep(['pnpm', 'install', ...flags], { ...rest, CI: 'true' })
  writeFileSync(installStamp(), lockFile())
}

/** Runs a program to its end; a failure ends this one. A quiet command shows what it printed only then. */
function runStep([program, ...args], env = environment) {
  const result = spawnSync(program, args, {
    cwd: root,
    env,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    maxBuffer: Number.POSITIVE_INFINITY,
    shell: onWindows,
  })
  if (result.error) fail(`${program} could not be started: ${result.error.message}`)
  if (result.status === 0) return
  if (quiet) process.stderr.write(Buffer.concat([result.stdout, result.stderr]))
  process.exit(result.status ?? 1)
}

/** Runs the last program. It decides when a signal ends it: this one waits, and ends as it did. */
async function runLast([program, ...args]) {
  if (process.ppid !== parent) process.exit(1)
  const child = spawn(program, args, { cwd: folder, env: environment, stdio: 'inherit', shell: onWindows })
  // A terminal sends SIGINT to the child too; passed on, it would count as a second one, which ends a server at once.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // npm hands a SIGTERM to the shell between it and this program, and that shell dies alone.
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, PARENT_CHECK_MS)
  const [code, signal] = await new Promise((resolve) => {
    child.once('error', (error) => fail(`${program} could not be started: ${error.message}`))
    child.once('exit', (...ending) => resolve(ending))
  })
  process.exit(code ?? 128 + constants.signals[signal])
}

function say(message) {
  process.stderr.write(`${message}\n`)
}

function fail(message) {
  say(message)
  process.exit(1)
}
