import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buffer as bytesOf } from 'node:stream/consumers'
import { type Dispatcher, type Outcome, parseJson } from '@ai-ticket/core'
import { decodeUtf8 } from '../config/decode-utf8.ts'
import { CONFIG_ARGS, cliCommand, parseDurationMs, UsageError } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { openDesk } from '../program/open-dispatcher.ts'
import { endOnSignals } from '../program/process.ts'
import { printDeltas, terminalJson, terminalText } from '../program/terminal-text.ts'

const EXAMPLES = `
  ai-ticket ask "Why is the sky blue?"
  ai-ticket ask --json --max-tokens 20 "Name a colour" | jq -r .completion
  git diff | ai-ticket ask --system "Review this change" -
  ai-ticket ask --schema triage.json - < mail.txt | jq -r .category
`

export const command = cliCommand(
  {
    meta: { name: 'ask', description: 'Ask once; the answer goes to stdout as it comes' },
    args: {
      prompt: { type: 'positional', description: 'What to ask; "-" reads it from stdin', required: false },
      json: {
        type: 'boolean',
        description: 'Print the whole outcome as one JSON object, even of a failure',
      },
      model: { type: 'string', valueHint: 'name', description: 'Model or alias, where there is a choice' },
      'max-tokens': { type: 'string', valueHint: 'number', description: 'Longest answer, in tokens' },
      system: { type: 'string', valueHint: 'text', description: 'System turn' },
      schema: {
        type: 'string',
        valueHint: 'file',
        description: 'JSON Schema of the answer; prints the data, checked, as JSON',
      },
      timeout: {
        type: 'string',
        valueHint: '90s',
        description: 'Time limit for the whole event: 500ms, 90s or 90, 10m',
      },
      ...CONFIG_ARGS,
      help: { type: 'boolean', alias: 'h', description: 'Show this help' },
    },
    async run({ args }) {
      const schema = args.schema === undefined ? undefined : readSchemaFile(args.schema)
      const prompt = await readPrompt(args._)
      if (prompt === undefined) return refuseEncoding(args.json === true)
      const event = eventOf(args, prompt, schema)
      await using desk = await openDesk(args)
      if (desk === undefined) return EXIT.badConfiguration
      const controller = new AbortController()
      endOnSignals(() => controller.abort(new Error('interrupted')))
      // Nobody reads the rest, so the backend need not write it.
      process.stdout.on('error', () => controller.abort(new Error('stdout is closed')))
      const ask = args.json ? askForJson : schema === undefined ? askForText : askForData
      const outcome = await ask(desk.dispatcher, event, controller.signal)
      if (outcome === undefined) return EXIT.interrupted
      if ('completion' in outcome) return EXIT.ok
      process.stderr.write(`${outcome.error}: ${outcome.details}\n`)
      return EXIT_OF_FAILURE[outcome.error]
    },
  },
  EXAMPLES,
)

interface AskArguments {
  readonly model?: string | undefined
  readonly 'max-tokens'?: string | undefined
  readonly system?: string | undefined
  readonly timeout?: string | undefined
}

/** Undefined: what came from stdin is not valid UTF-8, and the model would read it with question marks. */
async function readPrompt(positionals: readonly string[]): Promise<string | undefined> {
  if (positionals.length > 1)
    throw new UsageError('More than one prompt was given. Put the prompt between quotes.')
  const [prompt] = positionals
  if (prompt === undefined)
    throw new UsageError('What to ask is missing: ai-ticket ask "Why is the sky blue?"')
  if (prompt !== '-') return prompt
  if (process.stdin.isTTY)
    throw new UsageError('"-" reads from stdin, which is a terminal: git diff | ai-ticket ask -')
  return decodeUtf8(await bytesOf(process.stdin))
}

function refuseEncoding(asJson: boolean): number {
  const error = 'invalid_request'
  const details = 'stdin is not valid UTF-8. Convert it first, for example with iconv -f latin1 -t utf-8.'
  const outcome: Outcome = { error, details, id: `evt_${randomUUID()}`, duration_ms: 0, attempts: [] }
  if (asJson) process.stdout.write(`${terminalJson(outcome)}\n`)
  process.stderr.write(`${error}: ${details}\n`)
  return EXIT_OF_FAILURE[error]
}

/** A prompt that looks like JSON stays text. */
function eventOf(args: AskArguments, prompt: string, schema: unknown): Record<string, unknown> {
  const system = args.system === undefined ? [] : [{ role: 'system', content: args.system }]
  return {
    content: [...system, { role: 'user', content: prompt }],
    ...(args.model !== undefined && { model: args.model }),
    ...(args['max-tokens'] !== undefined && { parameters: { max_tokens: wholeNumber(args['max-tokens']) } }),
    ...(schema !== undefined && { schema }),
    ...(args.timeout !== undefined && { timeout_ms: duration(args.timeout) }),
  }
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError('--max-tokens needs a whole number of at least 1.')
}

function duration(text: string): number {
  const timeoutMs = parseDurationMs(text)
  if (timeoutMs !== undefined && timeoutMs > 0) return timeoutMs
  throw new UsageError('--timeout needs a time like 500ms, 90s or 10m.')
}

type Ask = (dispatcher: Dispatcher, event: unknown, signal: AbortSignal) => Promise<Outcome | undefined>

/** Undefined: interrupted. */
const askForOutcome: Ask = async (dispatcher, event, signal) => {
  try {
    return await dispatcher.onEvent(event, { signal })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

const askForJson: Ask = async (dispatcher, event, signal) => {
  const outcome = await askForOutcome(dispatcher, event, signal)
  if (outcome) process.stdout.write(`${terminalJson(outcome)}\n`)
  return outcome
}

/** Indented for a person, one line for a program. */
const askForData: Ask = async (dispatcher, event, signal) => {
  const outcome = await askForOutcome(dispatcher, event, signal)
  if (outcome === undefined || !('data' in outcome)) return outcome
  const { isTTY } = process.stdout
  const text = JSON.stringify(outcome.data, undefined, isTTY ? 2 : undefined)
  process.stdout.write(`${isTTY ? terminalText(text) : text}\n`)
  return outcome
}

const askForText: Ask = (dispatcher, event, signal) =>
  printDeltas(dispatcher.streamEvent(event, { signal }), process.stdout, signal)

/** The JSON Schema in a file; the desk checks it. Throws a `UsageError`. */
function readSchemaFile(path: string): object {
  const schema = parse(path, read(path))
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema
  throw new UsageError(`--schema: ${path} must hold a JSON object. Name the file of a JSON Schema.`)
}

function read(path: string): string {
  const text = decodeUtf8(readBytes(path))
  if (text !== undefined) return text
  throw new UsageError(`--schema: ${path} is not valid UTF-8. Save it as UTF-8.`)
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unreadable'
    throw new UsageError(`--schema: ${path} cannot be read (${code}). Correct the path.`)
  }
}

function parse(path: string, text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    throw new UsageError(`--schema: ${path} does not hold valid JSON. Correct it.`)
  }
}
