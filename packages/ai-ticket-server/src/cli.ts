#!/usr/bin/env node
import { defineCommand } from 'citty'
import { suggestion } from './config/closest-name.ts'
import { type CliCommand, renderHelp, UsageError, wantsHelp } from './program/command-line.ts'
import { EXIT } from './program/exit-codes.ts'
import { runAsMain } from './program/process.ts'
import { VERSION } from './version.ts'

/** Each is loaded only when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<{ command: CliCommand }>>> = {
  ask: () => import('./commands/ask.ts'),
  batch: () => import('./commands/batch.ts'),
  health: () => import('./commands/health.ts'),
  tickets: () => import('./commands/tickets.ts'),
  config: () => import('./commands/config.ts'),
}

const MAIN = defineCommand({
  meta: {
    name: 'ai-ticket',
    version: VERSION,
    description: 'Ask local LLM servers from the command line',
  },
  args: {
    help: { type: 'boolean', alias: 'h', description: 'Show help, also of a command' },
    version: { type: 'boolean', description: 'Show the version' },
  },
  subCommands: Object.fromEntries(
    Object.entries(COMMANDS).map(([name, load]) => [name, async () => (await load()).command.definition]),
  ),
})

const EXAMPLES = `
  ai-ticket ask "Why is the sky blue?"
  git diff | ai-ticket ask --system "Review this change" -
  ai-ticket health
`

async function main(rawArgs: string[]): Promise<number> {
  const [first, ...rest] = rawArgs
  if (first === 'help') return await main([...rest.slice(0, 1), '--help'])
  if (first === undefined || first === '--help' || first === '-h') {
    process.stdout.write(await renderHelp(MAIN, EXAMPLES))
    return first === undefined ? EXIT.usage : EXIT.ok
  }
  if (first === '--version') {
    process.stdout.write(`${VERSION}\n`)
    return EXIT.ok
  }
  const load = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined
  if (load === undefined) {
    throw new UsageError(
      `"${first}" is not a command.${suggestion(first, Object.keys(COMMANDS))} --help lists the commands.`,
    )
  }
  const { command } = await load()
  if (!wantsHelp(rest)) return await command.run(rest)
  process.stdout.write(await command.help('ai-ticket'))
  return EXIT.ok
}

runAsMain(main)
