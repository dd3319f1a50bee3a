import * as v from 'valibot'
import { keyWith } from '../config/api-keys.ts'
import { askServer, type ServerQuestion, serverOf } from '../program/ask-server.ts'
import { addExamples, addServerFlags, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'
import { terminalJson, terminalLine } from '../program/terminal-text.ts'

/** What is read of `GET /line`. */
const LineReply = v.object({
  now: v.string(),
  capacity: v.number(),
  running: v.array(
    v.object({
      hand: v.string(),
      phase: v.string(),
      backend: v.string(),
      caller: v.exactOptional(v.string()),
      seated_at: v.string(),
      ends_in_ms: v.exactOptional(v.number()),
    }),
  ),
  waiting: v.array(
    v.object({
      hand: v.string(),
      position: v.number(),
      caller: v.exactOptional(v.string()),
      entered_at: v.string(),
      starts_in_ms: v.nullable(v.number()),
      late: v.boolean(),
    }),
  ),
  more: v.number(),
})

/** What is read of a backend in `GET /backends`. */
const BackendReply = v.object({
  name: v.string(),
  state: v.string(),
  paused: v.exactOptional(v.object({ by: v.string(), since: v.string() })),
  in_flight: v.number(),
  concurrency: v.number(),
  models: v.array(v.string()),
})

const BackendsReply = v.object({ backends: v.array(BackendReply) })

const LINE_EXAMPLES = `
  ai-ticket line
  ai-ticket line --server http://desk:5000 --json | jq .waiting
`

export const command: CommandModule = {
  configure(command) {
    command.option('--json', 'Print one JSON object, as GET /line')
    addServerFlags(command)
    addExamples(command, LINE_EXAMPLES)
    runs(
      command,
      showReply(() => ({ method: 'GET', path: '/line', reply: LineReply }), lineText),
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
    runs(
      list,
      showReply(
        () => ({ method: 'GET', path: '/backends', reply: BackendsReply }),
        ({ backends }) => backends.map(backendLine),
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
            reply: BackendReply,
          }),
          (backend) => [backendLine(backend)],
        ),
      )
    }
    addExamples(command, BACKENDS_EXAMPLES)
  },
}

/** Asks the server and prints its reply, in lines or as JSON. */
function showReply<Body>(
  questionOf: (words: readonly string[]) => ServerQuestion<Body>,
  linesOf: (body: Body) => readonly string[],
): Run<{ readonly json?: boolean }> {
  return async ({ options, words, flags }) => {
    const resolved = readConfig(flags)
    if (resolved === undefined) return EXIT.badConfiguration
    const { config } = resolved
    const question = questionOf(words)
    const key = keyWith(config.apiKeys, question.method === 'GET' ? 'read' : 'admin')
    const reply = await askServer(serverOf(config), key, question)
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

function lineText({ now, capacity, running, waiting, more }: v.InferOutput<typeof LineReply>): string[] {
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

function backendLine({
  name,
  state,
  paused,
  in_flight,
  concurrency,
  models,
}: v.InferOutput<typeof BackendReply>): string {
  const pause = paused !== undefined && `paused by ${paused.by} since ${paused.since}`
  return columns(name, state, pause, `${in_flight}/${concurrency} busy`, models.join(', '))
}

const columns = (...texts: readonly (string | false | undefined)[]): string =>
  texts.filter(Boolean).join('  ')

const seconds = (milliseconds: number): string => `${Math.max(0, Math.round(milliseconds / 1_000))} s`
