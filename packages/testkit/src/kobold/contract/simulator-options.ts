import { isRecord, type JsonRecord } from '../../wire/json-record.ts'
import type { KoboldFault } from './kobold-script.ts'
import type { RecordedCall } from './recorded-call.ts'

/** The KoboldCPP servers whose replies were recorded. */
export type KoboldVersion = '1.76' | '1.115.1'

/** What the simulated model reads. */
export interface SimulatedPrompt {
  /** The text the model sees: the prompt, or the rendered messages, cut to the context. */
  readonly text: string
  /** As sent to the chat endpoint. */
  readonly messages?: readonly unknown[]
  /** As sent to the text and native endpoints. */
  readonly prompt?: string
  /** Whether the beginning was lost because it did not fit. */
  readonly cut: boolean
  /** The whole request body. */
  readonly body: Readonly<Record<string, unknown>>
}

/** An answer with more than text. `toolCalls` are OpenAI's objects and end a chat with `tool_calls` (1.115.1). */
export interface SimulatedAnswer {
  /** May be empty beside calls of tools. */
  readonly text: string
  /** Default: none. */
  readonly toolCalls?: readonly unknown[]
  /** What the model thought. Default: nothing. */
  readonly reasoning?: string
}

/** How the simulated server behaves. Times in milliseconds, speeds in tokens per second. */
export interface KoboldSimulatorOptions {
  /** Which server's replies and habits to follow. Default `1.115.1`. */
  readonly version?: KoboldVersion
  /** Default `koboldcpp/simulator`. `null`: no model loaded. */
  readonly model?: string | null
  /** The model takes images. Default false: they are dropped without a word, as by the real ones. */
  readonly vision?: boolean
  /** In tokens. Default 8192. */
  readonly contextLength?: number
  /** Default 200. `Infinity`: at once, without timers. */
  readonly tokensPerSecond?: number
  /** Default `Infinity`: reading the prompt takes no time. */
  readonly promptTokensPerSecond?: number
  /**
   * Prompts that are kept beside the last one, as by `--smartcache`: a prompt is read only from where it differs from one
   * that is kept. Default 0: the last prompt alone; 1 keeps 5, as the real server.
   */
  readonly smartcache?: number
  /** How many calls may wait; the next gets 503. Default 9 (1.115.1) or 6 (1.76). */
  readonly waitingRoom?: number
  /** Generations at a time. Default 1, as the real server without `--parallelrequests`. */
  readonly concurrency?: number
  /** With `concurrency` over 1 the real server answers an abort and does not stop. `true`: it stops. Default false. */
  readonly abortWhenParallel?: boolean
  /** Bearer token of `--password`. Default: none. */
  readonly password?: string
  /** The port opens only after this time. Default 0. */
  readonly loadingMs?: number
  /** Default: an honest text that says it is a simulator and how many words the prompt had. */
  readonly answer?: (prompt: SimulatedPrompt) => string | SimulatedAnswer
  /**
   * The answer to a chat with `response_format: json_schema`, or to a grammar that was made of a schema (1.115.1 only, as
   * the real ones): a value, or a function of the schema. Default: a sample of the schema, unless `answer` is given.
   */
  readonly answerJson?: unknown
  /** Do not obey `response_format`, as 1.76. Default false. */
  readonly ignoreSchema?: boolean
  /** Default true, as the real ones: a prompt that does not fit loses its beginning. `false`: 400 in OpenAI's shape. */
  readonly cutPromptSilently?: boolean
  /** Says this instead of what really ended the text. */
  readonly finishReason?: string
  /** A stream's first event comes this late. The real ones: 350. Default 0. */
  readonly streamOverheadMs?: number
  /** How long the model stays locked after an answer. The real ones: about 50. Default 0. */
  readonly lockTailMs?: number
  /** An abort that stops something is answered after this time. Default 100, as the real ones. */
  readonly abortReplyMs?: number
  /** How long until a closed stream is seen [1.115.1]: it polls. Default 250; the real one: up to 500. (1.76 sees it at the next failing write.) */
  readonly hangUpNoticeMs?: number
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: readonly KoboldFault[]
  /** Keep `calls` and `requests`. Default true; benchmarks say false, so that memory stays flat. */
  readonly recordCalls?: boolean
  /** Called with every generation as it comes in, kept or not. Runs in the simulator's turn: it must be quick and not throw. */
  readonly onCall?: (call: RecordedCall) => void
  /** Called once when that call has ended, however it did. */
  readonly onCallEnd?: (call: RecordedCall) => void
}

/** The same with every default filled in. */
export type ResolvedOptions = Required<
  Omit<KoboldSimulatorOptions, 'password' | 'answerJson' | 'finishReason' | 'faults' | 'answer'>
> & {
  readonly answer: (prompt: SimulatedPrompt) => string | SimulatedAnswer
  readonly password: string | undefined
  readonly answerJson: unknown
  readonly finishReason: string | undefined
}

/** Fills in the defaults. Throws a RangeError that names a speed or size that makes no sense. */
export function resolveSimulatorOptions(options: KoboldSimulatorOptions): ResolvedOptions {
  const { version = '1.115.1', password, answerJson, finishReason } = options
  const resolved: ResolvedOptions = {
    version,
    model: options.model === undefined ? 'koboldcpp/simulator' : options.model,
    vision: options.vision ?? false,
    contextLength: options.contextLength ?? 8192,
    tokensPerSecond: options.tokensPerSecond ?? 200,
    promptTokensPerSecond: options.promptTokensPerSecond ?? Number.POSITIVE_INFINITY,
    smartcache: options.smartcache === 1 ? 5 : (options.smartcache ?? 0),
    waitingRoom: options.waitingRoom ?? (version === '1.76' ? 6 : 9),
    concurrency: options.concurrency ?? 1,
    abortWhenParallel: options.abortWhenParallel ?? false,
    password,
    loadingMs: options.loadingMs ?? 0,
    answer: options.answer ?? honestAnswer,
    answerJson:
      answerJson ?? (options.answer === undefined ? (schema: unknown) => sampleOfSchema(schema) : undefined),
    ignoreSchema: options.ignoreSchema ?? false,
    cutPromptSilently: options.cutPromptSilently ?? true,
    finishReason,
    streamOverheadMs: options.streamOverheadMs ?? 0,
    lockTailMs: options.lockTailMs ?? 0,
    abortReplyMs: options.abortReplyMs ?? 100,
    hangUpNoticeMs: options.hangUpNoticeMs ?? 250,
    recordCalls: options.recordCalls ?? true,
    onCall: options.onCall ?? (() => {}),
    onCallEnd: options.onCallEnd ?? (() => {}),
  }
  requirePositive('contextLength', resolved.contextLength)
  requirePositive('tokensPerSecond', resolved.tokensPerSecond)
  requirePositive('promptTokensPerSecond', resolved.promptTokensPerSecond)
  requirePositive('concurrency', resolved.concurrency)
  return resolved
}

function honestAnswer({ text, messages, prompt }: SimulatedPrompt): string {
  const words = wordsOf(messages === undefined ? (prompt ?? text) : messages.map(contentText).join(' '))
  return (
    'This is the AI Ticket simulator, not a language model. ' +
    `It read a prompt of ${words} ${words === 1 ? 'word' : 'words'} and has nothing to say about it.`
  )
}

function wordsOf(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length
}

function contentText(message: unknown): string {
  if (typeof message !== 'object' || message === null || !('content' in message)) return ''
  return typeof message.content === 'string' ? message.content : ''
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${name} must be more than 0, not ${value}.`)
}

/** References that lead back to themselves end here. */
const MOST_LEVELS = 16

/**
 * A value that most small JSON Schemas take, and the same one each time: the first allowed value, and no
 * more than is required. Ignores patterns, formats and combinations (`allOf`, `not`, `if`).
 */
export function sampleOfSchema(schema: unknown, root: unknown = schema, level = 0): unknown {
  if (!isRecord(schema) || level > MOST_LEVELS) return null
  const below = (part: unknown) => sampleOfSchema(part, root, level + 1)
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if (typeof schema.$ref === 'string') return below(resolve(schema.$ref, root))
  const [first] = [schema.anyOf, schema.oneOf].find(Array.isArray) ?? []
  if (first !== undefined) return below(first)
  return sampleOfType(Array.isArray(schema.type) ? schema.type[0] : schema.type, schema, below)
}

function sampleOfType(type: unknown, schema: JsonRecord, below: (part: unknown) => unknown): unknown {
  const { properties, items, minItems, minimum, minLength } = schema
  if (type === 'string') return 'simulated'.padEnd(Number(minLength ?? 0), '.')
  if (type === 'integer' || type === 'number') return Math.max(Number(minimum ?? 0), 0)
  if (type === 'boolean') return true
  if (type === 'array') return Array.from({ length: Number(minItems ?? 1) }, () => below(items ?? {}))
  if (type !== 'object' && !isRecord(properties)) return null
  const fields = Object.entries(isRecord(properties) ? properties : {})
  return Object.fromEntries(fields.map(([name, part]) => [name, below(part)]))
}

function resolve(reference: string, root: unknown): unknown {
  const names = reference.replace(/^#\/?/, '').split('/').filter(Boolean)
  return names.reduce<unknown>((part, name) => (isRecord(part) ? part[name] : undefined), root)
}
