// Runs with whatever Node is there (20 is enough) and npm, and depends on nothing else.
// Brings the Node and the pnpm that the workspace needs through npm, into .toolchain, once;
// then runs one of the commands below with them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

const NODE_VERSION = '24.21.0'
const PNPM_VERSION = '12.21.0'
const MINIMUM_NODE = [22, 19]

const root = resolve(import.meta.dirname, '../..')
const toolchain = join(root, '.toolchain')

/** What each command runs, in order, once dependencies are installed. */
const COMMANDS = {
  start: [
    ['turbo', 'run', 'build', '--output-logs=errors-only'],
    ['node', 'packages/workspace/start.mjs'],
  ],
  test: [
    ['turbo', 'run', 'build', '--output-logs=errors-only'],
    ['biome', 'ci', '.'],
    ['turbo', 'run', 'typecheck', '--output-logs=errors-only'],
    ['vitest', 'run'],
  ],
  run: [],
}

const [command = 'run', ...rest] = process.argv.slice(2)
const steps = COMMANDS[command]
if (steps === undefined) fail(`unknown command "${command}": use one of ${Object.keys(COMMANDS).join(', ')}`)

const environment = prepareToolchain()
if (!isInstalled()) {
  run(['pnpm', 'install', '--frozen-lockfile', '--reporter=append-only'], { quiet: command === 'start' })
  markInstalled()
}
if (command === 'run') {
  run(rest)
} else {
  for (const [index, step] of steps.entries()) run(index === steps.length - 1 ? [...step, ...rest] : step)
}

function prepareToolchain() {
  const packages = [`@pnpm/exe.${process.platform}-${process.arch}@${PNPM_VERSION}`]
  const nodePlatform = process.platform === 'win32' ? 'win' : process.platform
  if (!isNodeRecent()) packages.push(`node-${nodePlatform}-${process.arch}@${NODE_VERSION}`)
  const stamp = join(toolchain, 'stamp')
  const wanted = packages.join('\n')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    process.stderr.write(`Fetching ${packages.join(' and ')} with npm (once)\n`)
    mkdirSync(toolchain, { recursive: true })
    writeFileSync(join(toolchain, 'package.json'), '{ "private": true }\n')
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    const result = spawnSync(
      npm,
      [
        'install',
        '--no-save',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        ...packages,
      ],
      { cwd: toolchain, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' },
    )
    if (result.status !== 0) fail(`npm could not install ${packages.join(' and ')}; see its message above`)
    writeFileSync(stamp, wanted)
  }
  const path = [
    join(root, 'node_modules', '.bin'),
    join(toolchain, 'node_modules', '@pnpm', `exe.${process.platform}-${process.arch}`),
  ]
  if (!isNodeRecent())
    path.push(join(toolchain, 'node_modules', `node-${nodePlatform}-${process.arch}`, 'bin'))
  return {
    ...process.env,
    PATH: [...path, process.env.PATH].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
  }
}

function isNodeRecent() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
}

function installStamp() {
  return join(root, 'node_modules', '.ai-ticket-lock')
}

function isInstalled() {
  return (
    existsSync(installStamp()) &&
    readFileSync(installStamp(), 'utf8') === readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
  )
}

function markInstalled() {
  writeFileSync(installStamp(), readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'))
}

function run([program, ...args], { quiet = false } = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    env: environment,
    stdio: ['inherit', quiet ? 'ignore' : 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (result.error) fail(`${program} could not be started: ${result.error.message}`)
  if (result.status !== 0) process.exit(result.status ?? 1)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
