#!/usr/bin/env node
import { defineCommand, parseArgs } from 'citty'
import { loadConfig, type ResolvedConfig, servingProblems } from './config/config.ts'
import { SETTINGS } from './config/settings.ts'
import {
  CONFIG_ARGS,
  checkFlags,
  configFlags,
  flagOf,
  renderHelp,
  UsageError,
  wantsHelp,
  wantsVersion,
} from './program/command-line.ts'
import { EXIT } from './program/exit-codes.ts'
import { hideSqliteWarning, keepDebuggerShut, runAsMain } from './program/process.ts'
import { firstLine } from './serve/first-line.ts'
import { VERSION } from './version.ts'

const ARGS = {
  port: flagOf(SETTINGS.port, { withDefault: true }),
  host: flagOf(SETTINGS.host, { withDefault: true }),
  ...CONFIG_ARGS,
  help: { type: 'boolean', alias: 'h', description: 'Show this help' },
  version: { type: 'boolean', description: 'Show the version' },
} as const

const COMMAND = defineCommand({
  meta: { name: 'ai-ticket-server', version: VERSION, description: 'The front desk of a local LLM server' },
  args: ARGS,
})

const EXAMPLES = `
  ai-ticket-server
  ai-ticket-server --port 8080 --kobold-url http://gpu-1:5001,http://gpu-2:5001
  curl http://127.0.0.1:5000/event --json '{"content":"Hello"}'

  \`ai-ticket config show --origin\` lists every setting, including those without a flag: API keys, hosts, limits.
`

/** The exit code. Undefined: the server runs, and ends the process itself. */
async function main(rawArgs: string[]): Promise<number | undefined> {
  if (wantsHelp(rawArgs) || wantsVersion(rawArgs)) {
    process.stdout.write(wantsHelp(rawArgs) ? await renderHelp(COMMAND, EXAMPLES) : `${VERSION}\n`)
    return EXIT.ok
  }
  checkFlags(rawArgs, ARGS)
  const args = parseArgs<typeof ARGS>(rawArgs, ARGS)
  if (args._.length > 0) throw new UsageError(`"${args._[0]}" is not expected here. --help lists the flags.`)
  const loaded = loadConfig(configFlags(args), process.env)
  const problems = loaded.ok ? servingProblems(loaded.value) : loaded.problems
  if (loaded.ok && problems.length === 0) return await start(loaded.value)
  for (const { message } of problems) process.stderr.write(`${message}\n`)
  return EXIT.badConfiguration
}

async function start(resolved: ResolvedConfig): Promise<undefined> {
  process.stdout.write(firstLine(resolved.config.logLevel, process.stdout.isTTY))
  keepDebuggerShut()
  // Before anything imports it.
  hideSqliteWarning()
  // Imported after the first line, for Fastify and the backends take a while to load.
  const { runServer } = await import('./serve/run-server.ts')
  await runServer(resolved)
}

runAsMain(main)
