#!/usr/bin/env node
import {
  addExamples,
  addExitCodes,
  type CommandModule,
  createProgram,
  runProgram,
} from './program/command-line.ts'
import { runAsMain } from './program/process.ts'

interface Listed {
  readonly summary: string
  readonly load: () => Promise<{ readonly command: CommandModule }>
}

/** Each is loaded only when the command line names it. */
const COMMANDS: Readonly<Record<string, Listed>> = {
  ask: {
    summary: 'Ask once; the answer goes to stdout as it comes',
    load: () => import('./commands/ask.ts'),
  },
  batch: {
    summary: 'Ask once for every line of a file; run it again to continue where it stopped',
    load: () => import('./commands/batch.ts'),
  },
  serve: {
    summary: 'Run the server, like ai-ticket-server',
    load: () => import('./commands/serve.ts'),
  },
  tickets: {
    summary: 'List, show, replay, cancel or remove the tickets of a running server',
    load: () => import('./commands/tickets.ts'),
  },
  line: {
    summary: 'Show who runs and who waits at a running server, and for how long',
    load: () => import('./commands/line.ts'),
  },
  backends: {
    summary: 'List, pause or resume the backends of a running server',
    load: async () => ({ command: (await import('./commands/line.ts')).backendsCommand }),
  },
  health: {
    summary: 'Ask each backend whether it answers',
    load: () => import('./commands/health.ts'),
  },
  config: {
    summary: 'Show the configuration, or what is wrong with it; secrets are masked',
    load: () => import('./commands/config.ts'),
  },
  completion: {
    summary: 'Print what completes commands and flags in your shell',
    load: () => import('./commands/completion.ts'),
  },
}

const EXAMPLES = `
  ai-ticket ask "Why is the sky blue?"
  git diff | ai-ticket ask --system "Review this change"
  ai-ticket health
`

runAsMain(async (words) => {
  const program = createProgram('ai-ticket', words).description('Ask local LLM servers from the command line')
  const isWanted = (name: string) => words.includes(name) || words.includes('completion')
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(summary)
    if (isWanted(name)) (await load()).command.configure(command)
  }
  return await runProgram(addExitCodes(addExamples(program, EXAMPLES)), words)
})
