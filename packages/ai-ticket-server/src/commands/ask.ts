import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buffer as bytesOf } from 'node:stream/consumers'
import { type FailureCode, type Outcome, parseJson } from '@ai-ticket/core'
import { addressOf } from '../config/backend-config.ts'
import type { ResolvedConfig } from '../config/config.ts'
import { describeOrigin } from '../config/config-problems.ts'
import { decodeUtf8 } from '../config/load-config.ts'
import { withNextStep } from '../program/ask-server.ts'
import { type EventDesk, findServer, openDesk, serverDesk } from '../program/command-desk.ts'
import {
  addAskFlags,
  addExamples,
  type CommandModule,
  type Run,
  readCount,
  readDuration,
  runs,
  UsageError,
} from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { endOnSignals } from '../program/process.ts'
import { readConfig } from '../program/read-config.ts'
import { printDeltas, terminalJson, terminalText } from '../program/terminal-text.ts'

const EXAMPLES = `
  ai-ticket ask "Why is the sky blue?"
  ai-ticket ask --json --max-tokens 20 "Name a colour" | jq -r .completion
  git diff | ai-ticket ask --system "Review this change"
  ai-ticket ask --schema triage.json < mail.txt | jq -r .category
`

export const command: CommandModule = {
  configure(command) {
    command
      .argument('[prompt]', 'What to ask; "-", or nothing where stdin is no terminal, reads it from stdin')
      // To say what is wrong with two of them.
      .allowExcessArguments()
      .option('--json', 'Print the whole outcome as one JSON object, even of a failure')
      .option('--model <name>', 'Model or alias, where there is a choice')
      .option('--max-tokens <number>', 'Longest answer, in tokens', readCount)
      .option('--system <text>', 'System turn')
      .option('--schema <file>', 'JSON Schema of the answer; prints the data, checked, as JSON')
      .option('--timeout <time>', 'Time limit for the whole event: 500ms, 90s or 90, 10m', readDuration)
    addAskFlags(command)
    addExamples(command, EXAMPLES)
    runs(command, askOnce)
  },
}

interface AskOptions {
  readonly json?: boolean
  readonly model?: string
  readonly maxTokens?: number
  readonly system?: string
  readonly schema?: string
  readonly timeout?: number
}

const askOnce: Run<AskOptions> = async ({ options, words, flags }) => {
  const schema = options.schema === undefined ? undefined : readSchemaFile(options.schema)
  const prompt = await readPrompt(words)
  if (prompt === undefined) return refuseEncoding(options.json === true)
  const event = eventOf(options, prompt, schema)
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const server = await findServer(resolved)
  await using local = server === undefined ? await openDesk(resolved) : undefined
  const desk = server === undefined ? local?.dispatcher : serverDesk(server, resolved)
  if (desk === undefined) return EXIT.badConfiguration
  const controller = new AbortController()
  endOnSignals(() => controller.abort(new Error('interrupted')))
  // Nobody reads the rest, so the backend need not write it.
  process.stdout.on('error', () => controller.abort(new Error('stdout is closed')))
  const ask = options.json ? askForJson : schema === undefined ? askForText : askForData
  const outcome = await ask(desk, event, controller.signal)
  if (outcome === undefined) return EXIT.interrupted
  if (outcome.error !== undefined) {
    process.stderr.write(`${withNextStep(outcome.error, `${outcome.error}: ${outcome.details}`)}\n`)
    const step = server === undefined ? nextStep(outcome.error, resolved) : undefined
    if (step !== undefined) process.stderr.write(`${step}\n`)
    return EXIT_OF_FAILURE[outcome.error]
  }
  if (outcome.finish_reason === 'length' && !options.json) process.stderr.write(`${CUT}\n`)
  return EXIT.ok
}

/** What to do about a failure at the backends that this command has asked itself. */
function nextStep(error: FailureCode, resolved: ResolvedConfig): string | undefined {
  if (error === 'api_authentication_error')
    return 'Put the right key into KOBOLDCPP_API_KEY, or into the variable that "api_key_env" in the file names.'
  return error === 'api_connection_error' ? whoWasAsked(resolved) : undefined
}

function whoWasAsked({ config, origins }: ResolvedConfig): string {
  const asked = config.backends.map((backend) => `${backend.name} at ${addressOf(backend)}`).join(', ')
  return origins.backends.kind === 'default'
    ? `No backend is named, so a KoboldCPP was asked (${asked}). Name yours, like --backend openai=http://localhost:11434, or start AI Ticket first: ai-ticket serve`
    : `Asked: ${asked} (${describeOrigin(origins.backends)}). Start it, or name another with --backend.`
}

const CUT =
  'The answer was cut: it reached --max-tokens, or the end of the context. Raise --max-tokens for more.'

/** Undefined: what came from stdin is not valid UTF-8, and the model would read it with question marks. */
async function readPrompt(words: readonly string[]): Promise<string | undefined> {
  if (words.length > 1) throw new UsageError('More than one prompt was given. Put the prompt between quotes.')
  const [prompt] = words
  if (prompt !== undefined && prompt !== '-') return prompt
  if (process.stdin.isTTY) {
    throw new UsageError(
      prompt === undefined
        ? MISSING
        : '"-" reads from stdin, which is a terminal: git diff | ai-ticket ask -',
    )
  }
  const bytes = await bytesOf(process.stdin)
  // A job without a terminal and without input, as cron starts it.
  if (prompt === undefined && bytes.length === 0) throw new UsageError(MISSING)
  return decodeUtf8(bytes)
}

const MISSING = 'What to ask is missing: ai-ticket ask "Why is the sky blue?"'

function refuseEncoding(asJson: boolean): number {
  const error = 'invalid_request'
  const details = 'stdin is not valid UTF-8. Convert it first, for example with iconv -f latin1 -t utf-8.'
  const outcome: Outcome = { error, details, id: `evt_${randomUUID()}`, duration_ms: 0, attempts: [] }
  if (asJson) process.stdout.write(`${terminalJson(outcome)}\n`)
  process.stderr.write(`${error}: ${details}\n`)
  return EXIT_OF_FAILURE[error]
}

/** A prompt that looks like JSON stays text. */
function eventOf(options: AskOptions, prompt: string, schema: unknown): Record<string, unknown> {
  const { system, model, maxTokens, timeout } = options
  const systemTurns = system === undefined ? [] : [{ role: 'system', content: system }]
  return {
    content: [...systemTurns, { role: 'user', content: prompt }],
    ...(model !== undefined && { model }),
    ...(maxTokens !== undefined && { parameters: { max_tokens: maxTokens } }),
    ...(schema !== undefined && { schema }),
    ...(timeout !== undefined && { timeout_ms: timeout }),
  }
}

type Ask = (desk: EventDesk, event: unknown, signal: AbortSignal) => Promise<Outcome | undefined>

/** Undefined: interrupted. */
const askForOutcome: Ask = async (desk, event, signal) => {
  try {
    return await desk.onEvent(event, { signal })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

const askForJson: Ask = async (desk, event, signal) => {
  const outcome = await askForOutcome(desk, event, signal)
  if (outcome) process.stdout.write(`${terminalJson(outcome)}\n`)
  return outcome
}

/** Indented for a person, one line for a program. */
const askForData: Ask = async (desk, event, signal) => {
  const outcome = await askForOutcome(desk, event, signal)
  if (outcome === undefined || !('data' in outcome)) return outcome
  const { isTTY } = process.stdout
  const text = JSON.stringify(outcome.data, undefined, isTTY ? 2 : undefined)
  process.stdout.write(`${isTTY ? terminalText(text) : text}\n`)
  return outcome
}

const askForText: Ask = (desk, event, signal) =>
  printDeltas(desk.streamEvent(event, { signal }), process.stdout, signal)

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
