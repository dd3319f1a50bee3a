import type { LineBody } from '@ai-ticket/control'
import type { BackendReport, DeskReport } from '@ai-ticket/core'
import { keyWith } from '../config/api-keys.ts'
import { askServer, type ServerRequest, serverOf } from '../program/ask-server.ts'
import { addExamples, addServerFlags, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'
import { terminalJson, terminalLine } from '../program/terminal-text.ts'

const LINE_EXAMPLES = `
  ai-ticket line
  ai-ticket line --server http://desk:5000 --json | jq .waiting
`

export const command: CommandModule = {
  configure(command) {
    command.option('--json', 'Print one JSON object, as GET /line')
    addServerFlags(command)
    addExamples(command, LINE_EXAMPLES)
    const isReply: ServerRequest['isReply'] = ({ running, waiting }) =>
      Array.isArray(running) && Array.isArray(waiting)
    runs(
      command,
      // `isReply` has looked at what is read of it.
      showReply(
        () => ({ method: 'GET', path: '/line', isReply }),
        (body) => lineText(body as unknown as LineBody),
      ),
    )
  },
}

const BACKENDS_EXAMPLES = `
  ai-ticket backends list
  ai-ticket backends pause big
`

const STEERING = {
  pause: 'Send no new events to a backend; what runs there ends',
  resume: 'Send new events to a paused backend again',
}

export const backendsCommand: CommandModule = {
  configure(command) {
    const list = command.command('list').description('Show the backends, and how busy they are')
    list.option('--json', 'Print one JSON object, as GET /backends')
    addServerFlags(list)
    const isReply: ServerRequest['isReply'] = ({ backends }) => Array.isArray(backends)
    runs(
      list,
      showReply(
        () => ({ method: 'GET', path: '/backends', isReply }),
        (body) => (body as unknown as DeskReport).backends.map(backendLine),
      ),
    )
    for (const [action, summary] of Object.entries(STEERING)) {
      const steer = command.command(action).description(summary).argument('<name>', 'The backend')
      steer.option('--json', 'Print one JSON object: the backend as GET /backends has it')
      addServerFlags(steer)
      runs(
        steer,
        showReply(
          ([name = '']) => ({
            method: 'POST',
            path: `/backends/${encodeURIComponent(name)}/${action}`,
            isReply: ({ name, models }) => typeof name === 'string' && Array.isArray(models),
          }),
          (body) => [backendLine(body as unknown as BackendReport)],
        ),
      )
    }
    addExamples(command, BACKENDS_EXAMPLES)
  },
}

/** Asks the server and prints its reply, in lines or as JSON. */
function showReply(
  requestOf: (words: readonly string[]) => ServerRequest,
  linesOf: (body: Readonly<Record<string, unknown>>) => readonly string[],
): Run<{ readonly json?: boolean }> {
  return async ({ options, words, flags }) => {
    const resolved = readConfig(flags)
    if (resolved === undefined) return EXIT.badConfiguration
    const { config } = resolved
    const request = requestOf(words)
    const key = keyWith(config.apiKeys, request.method === 'GET' ? 'read' : 'admin')
    const reply = await askServer(serverOf(config), key, request)
    if (!reply.ok) {
      process.stderr.write(`${terminalLine(reply.message)}\n`)
      return reply.error === undefined ? EXIT.unavailable : EXIT_OF_FAILURE[reply.error]
    }
    const lines = options.json
      ? [terminalJson(reply.body)]
      : linesOf(reply.body).map((line) => terminalLine(line))
    process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    return EXIT.ok
  }
}

function lineText({ now, capacity, running, waiting, more }: LineBody): string[] {
  const since = (time: string) => `for ${seconds(Date.parse(now) - Date.parse(time))}`
  return [
    `${running.length} running, ${waiting.length + more} of ${capacity} waiting`,
    ...running.map(({ hand, phase, backend, caller, seated_at, ends_in_ms: endsIn }) =>
      columns(
        hand,
        phase,
        backend,
        caller,
        since(seated_at),
        endsIn !== undefined && `ends in about ${seconds(endsIn)}`,
      ),
    ),
    ...waiting.map(({ position, hand, caller, entered_at, starts_in_ms: startsIn, late }) =>
      columns(
        hand,
        `place ${position}`,
        caller,
        since(entered_at),
        startsIn !== null && `starts in about ${seconds(startsIn)}`,
        late && 'likely too late',
      ),
    ),
    ...(more === 0 ? [] : [`and ${more} more`]),
  ]
}

function backendLine({ name, state, paused, in_flight, concurrency, models }: BackendReport): string {
  const pause = paused !== undefined && `paused by ${paused.by} since ${paused.since}`
  return columns(name, state, pause, `${in_flight}/${concurrency} busy`, models.join(', '))
}

const columns = (...texts: readonly (string | false | undefined)[]): string =>
  texts.filter(Boolean).join('  ')

const seconds = (milliseconds: number): string => `${Math.max(0, Math.round(milliseconds / 1_000))} s`
