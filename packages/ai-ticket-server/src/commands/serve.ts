import type { Command } from 'commander'
import { servingProblems } from '../config/config.ts'
import {
  addConfigFlags,
  addExamples,
  addListenFlags,
  type CommandModule,
  type Run,
  runs,
} from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { hideSqliteWarning } from '../program/process.ts'
import { readConfig } from '../program/read-config.ts'
import { VERSION } from '../version.ts'

const NOTE =
  '`ai-ticket config show --origin` lists every setting, including those without a flag: API keys, hosts, limits.'

/** Undefined: the server runs, and ends the process itself. */
const serve: Run<object> = async ({ flags }) => {
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const problems = servingProblems(resolved)
  for (const { message } of problems) process.stderr.write(`${message}\n`)
  if (problems.length > 0) return EXIT.badConfiguration
  process.stdout.write(firstLine(resolved.config.logLevel, process.stdout.isTTY))
  // Before anything imports it.
  hideSqliteWarning()
  // Imported after the first line, for Fastify and the backends take a while to load.
  const { runServer } = await import('../serve/run-server.ts')
  await runServer(resolved)
}

/** Of the command, and of the program that does nothing else. `name`: how it is called. */
export function configureServe(command: Command, name: string): void {
  addListenFlags(command)
  addConfigFlags(command)
  addExamples(
    command,
    `${name}
  ${name} --port 8080 --kobold-url http://gpu-1:5001,http://gpu-2:5001
  curl http://127.0.0.1:5000/event -H 'Content-Type: application/json' -d '{"content":"Hello"}'

${NOTE}`,
  )
  runs(command, serve)
}

export const command: CommandModule = { configure: (command) => configureServe(command, 'ai-ticket serve') }

const QUIET_LEVELS: readonly string[] = ['silent', 'critical', 'fatal', 'error', 'warning', 'warn', 'log']

/**
 * A sign of life in the shape of the logger's lines, before anything heavy (the logger among it) is loaded. Empty where
 * the level keeps it quiet.
 */
export function firstLine(logLevel: string, isTerminal: boolean): string {
  if (QUIET_LEVELS.includes(logLevel.toLowerCase())) return ''
  const time = new Date().toISOString()
  const message = `AI Ticket ${VERSION} starts`
  return isTerminal
    ? `${time.slice(11, 23)} INFO  ${message}\n`
    : `${JSON.stringify({ time, level: 'info', message })}\n`
}
