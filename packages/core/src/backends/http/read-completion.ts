import * as v from 'valibot'
import type { GenerationEnd, GenerationRequest } from '../../contract/backend.ts'
import type { FinishReason, Usage } from '../../contract/outcome.ts'
import {
  addToolCall,
  type CollectedCall,
  callElsewhere,
  chatChunk,
  chatReply,
  firstChoice,
  isCut,
  isNoAnswer,
  reasonElsewhere,
  textChunk,
  textElsewhere,
  textReply,
  thoughtsElsewhere,
  toToolCall,
  type WireMessage,
  type WireToolCall,
} from './completion-wire.ts'

interface Named {
  /** The server's own id of the answer. */
  readonly id?: string | undefined
}

/** A reply of `/v1/chat/completions`. Undefined: the wrong shape, or no choice in it. */
export function readChatReply(reply: unknown): (RawAnswer & Named) | undefined {
  const { success, output } = v.safeParse(chatReply, reply)
  const choice = success ? firstChoice(output.choices) : undefined
  if (!success || !choice) return undefined
  const message = choice.message ?? choice.delta
  if (!message && textElsewhere(reply) === '') return undefined
  const read = readMessage(message, reply)
  return (
    read && {
      ...read,
      reasoning: read.reasoning ?? thoughtsElsewhere(reply),
      rawFinishReason: choice.finish_reason ?? reasonElsewhere(reply),
      ...readCommon(output),
    }
  )
}

/** One event of its stream; the last one may hold usage and no choice. */
export function readChatChunk(data: unknown): (Chunk & Named) | undefined {
  const { success, output } = v.safeParse(chatChunk, data)
  if (!success) return undefined
  const choice = firstChoice(output.choices)
  const message = readMessage(choice?.delta ?? choice?.message, data)
  return (
    message && {
      ...message,
      isMessage: Boolean(choice?.message && !choice.delta),
      choice: choice?.index ?? undefined,
      rawFinishReason: choice?.finish_reason ?? reasonElsewhere(data),
      ...readCommon(output),
    }
  )
}

/** A reply of `/v1/completions`. */
export function readTextReply(reply: unknown): (RawAnswer & Named) | undefined {
  const { success, output } = v.safeParse(textReply, reply)
  return success && output.choices.length > 0 ? readText(output, reply) : undefined
}

/** One event of its stream. */
export function readTextChunk(data: unknown): (Chunk & Named) | undefined {
  const { success, output } = v.safeParse(textChunk, data)
  return success
    ? { ...readText(output, data), choice: firstChoice(output.choices)?.index ?? undefined }
    : undefined
}

function readText(output: v.InferOutput<typeof textChunk>, data: unknown): RawAnswer & Named {
  const choice = firstChoice(output.choices)
  return {
    text: choice?.text ?? '',
    rawFinishReason: choice?.finish_reason ?? reasonElsewhere(data),
    ...readCommon(output),
  }
}

/** `data`: what the message stands in, for what stands elsewhere. Undefined: there is text in it that cannot be read. */
function readMessage(message: WireMessage | null | undefined, data: unknown) {
  const { content, refusal, reasoning_content, reasoning, tool_calls } = message ?? {}
  const parts = typeof content === 'object' && content !== null ? readContent([content].flat()) : undefined
  const text = parts?.text || (typeof content === 'string' && content) || refusal || ''
  const read = {
    text,
    reasoning: (reasoning_content || reasoning || parts?.reasoning) ?? undefined,
    toolCalls: tool_calls ?? undefined,
  }
  if (text !== '' || read.reasoning || read.toolCalls?.length) return read
  if (parts?.isStrange) return undefined
  return {
    text: content === null || content === undefined ? textElsewhere(data) : '',
    reasoning: thoughtsElsewhere(data),
    toolCalls: callElsewhere(data),
  }
}

/**
 * Content as a list: Mistral's thinking models and some gateways. Parts of other kinds are passed over; `isStrange`: there
 * was text in one.
 */
function readContent(parts: readonly unknown[]): { text: string; reasoning: string; isStrange: boolean } {
  let text = ''
  let reasoning = ''
  let isStrange = false
  for (const part of parts) {
    if (typeof part === 'string') text += part
    if (typeof part !== 'object' || part === null) continue
    const { type = 'text', ...fields } = part as Record<string, unknown>
    if (type === 'thinking' || type === 'reasoning') reasoning += textOf(fields[type] ?? fields.text)
    else if (type === 'text' || type === 'output_text') text += textOf(fields.text ?? fields.content)
    else if (type === 'refusal') text += textOf(fields.refusal)
    else isStrange ||= textOf(fields.text ?? fields.content) !== ''
  }
  return { text, reasoning, isStrange }
}

/** A text, parts of one, or `{value: …}` of the Assistants' format. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return readContent(value).text
  return typeof value === 'object' && value !== null && 'value' in value ? textOf(value.value) : ''
}

const readCommon = ({ id, model, usage, timings }: Omit<v.InferOutput<typeof textReply>, 'choices'>) => ({
  id: id ?? undefined,
  model: model ?? undefined,
  ...readUsage(usage, timings),
  ...readTimes(timings),
})

type Common = v.InferOutput<typeof textReply>

function readUsage(usage: Common['usage'], timings: Common['timings']) {
  if (!usage) return { usage: undefined }
  const { prompt_tokens, completion_tokens, prompt_tokens_details: details } = usage
  const kept = details?.cached_tokens ?? timings?.cache_n
  const cachedTokens = typeof kept === 'number' && kept <= prompt_tokens ? kept : undefined
  return {
    usage: { prompt_tokens, completion_tokens },
    ...(typeof cachedTokens === 'number' && { cachedTokens }),
  }
}

function readTimes(timings: Common['timings']): Pick<RawAnswer, 'times'> {
  const { prompt_ms: promptMs, predicted_ms: completionMs } = timings ?? {}
  if (typeof promptMs !== 'number' || typeof completionMs !== 'number') return {}
  return promptMs >= 0 && completionMs >= 0 ? { times: { promptMs, completionMs } } : {}
}

/** A whole answer as the server gave it, whichever way it came. */
export interface RawAnswer {
  readonly text: string
  readonly rawFinishReason: string | null
  readonly usage?: Usage | undefined
  /** Tokens of the prompt that were not read, where the server says so. */
  readonly cachedTokens?: number | undefined
  readonly times?: GenerationEnd['times'] | undefined
  readonly reasoning?: string | undefined
  readonly toolCalls?: readonly WireToolCall[] | undefined
  readonly model?: string | undefined
  /** A block of thoughts in the text never ended. */
  readonly endedInThoughts?: boolean
  /** The server wrote on over a stop string, which ends the text all the same. */
  readonly isStopped?: boolean
}

/** What one event of a stream adds. */
export interface Chunk extends RawAnswer {
  /** It came as a message, not as a delta. */
  readonly isMessage?: boolean
  /** The number of its choice, where it says so. */
  readonly choice?: number | undefined
}

/** The end of a generation in the contract's words. */
export function toEnd(answer: RawAnswer, finishReason: FinishReason): GenerationEnd {
  const { text, rawFinishReason, usage, reasoning, model } = answer
  const tool_calls = answer.toolCalls?.map(toToolCall)
  return {
    type: 'end',
    text,
    finish_reason: finishReason,
    raw_finish_reason: rawFinishReason,
    ...(usage && { usage }),
    ...(usage && answer.cachedTokens !== undefined && { cached_prompt_tokens: answer.cachedTokens }),
    ...(answer.times && { times: answer.times }),
    ...(tool_calls?.length && { tool_calls }),
    ...(reasoning && { reasoning }),
    ...(answer.endedInThoughts && { ended_in_thoughts: true }),
    ...(model && { model }),
  }
}

/** The answer with the thoughts at the beginning of its text in their place, unless its caller reads it as it came. */
export function asAsked<Answer extends RawAnswer>(answer: Answer, request: GenerationRequest): Answer {
  const { reasoning, ...split } = request.continues ? { text: answer.text } : splitThoughts(answer.text)
  const read =
    reasoning === undefined
      ? answer
      : { ...answer, ...split, reasoning: (answer.reasoning ?? '') + reasoning }
  const stops = createStopCutter(request.parameters.stop)
  if (!stops) return read
  const text = stops.push(read.text)
  return { ...read, text: text + stops.rest(), ...(stops.isCut() && { isStopped: true }) }
}

export interface Collector {
  /** Returns what of it can be handed on. */
  add(chunk: Chunk): Piece
  /** The text that was held back, once nothing more comes. */
  rest(): Piece
  answer(): RawAnswer
}

/** Puts the events of a stream together. */
export function collectAnswer({ continues, parameters }: GenerationRequest): Collector {
  /** What has come, and what of it counts. */
  let came = ''
  let text = ''
  let reasoning = ''
  let last: Chunk = { text: '', rawFinishReason: null }
  let cameInDeltas = false
  let isTakenBack = false
  let pieces = 0
  let areGrowing = false
  const toolCalls: CollectedCall[] = []
  const thoughts = continues ? undefined : createThoughtSplitter()
  const stops = createStopCutter(parameters.stop)
  const keep = (given: Piece, isLast = false): Piece => {
    const cut = stops && stops.push(given.text) + (isLast ? stops.rest() : '')
    const piece = cut === undefined ? given : { ...given, text: cut }
    text += piece.text
    reasoning += piece.reasoning ?? ''
    return piece
  }
  return {
    add(given) {
      // Some adapters end with the whole message once more.
      const isAgain = given.isMessage
        ? cameInDeltas || isGrown(given, came, areGrowing)
        : isAllAgain(given, came, pieces)
      areGrowing ||= given.isMessage === true && isAgain
      if (given.text !== '') pieces += 1
      const chunk = isAgain ? { ...given, text: restOf(given.text, came), reasoning: undefined } : given
      cameInDeltas ||= !given.isMessage && given.text !== ''
      // Also what is still held back, because it may be the beginning of a tag.
      came += chunk.text
      for (const part of chunk.toolCalls ?? []) addToolCall(toolCalls, part)
      isTakenBack ||= chunk.text !== '' || Boolean(chunk.toolCalls?.length)
      last = latest(last, chunk, isTakenBack)
      if (chunk.rawFinishReason !== null) isTakenBack = false
      if (!thoughts || thoughts.isText() || chunk.text === '') return keep(chunk)
      const piece = thoughts.push(chunk.text)
      const both = (chunk.reasoning ?? '') + (piece.reasoning ?? '')
      return keep({ text: piece.text, ...(both && { reasoning: both }) })
    },
    rest: () => keep(thoughts?.rest() ?? { text: '' }, true),
    answer: () => ({
      text,
      rawFinishReason: last.rawFinishReason,
      usage: last.usage,
      cachedTokens: last.cachedTokens,
      times: last.times,
      model: last.model,
      ...(reasoning && { reasoning }),
      ...(thoughts?.isThinking() && { endedInThoughts: true }),
      ...(stops?.isCut() && { isStopped: true }),
      ...(toolCalls.length > 0 && { toolCalls }),
    }),
  }
}

/** What the events so far say beside the text. */
const latest = (before: Chunk, chunk: Chunk, isTakenBack: boolean): Chunk => ({
  ...chunk,
  rawFinishReason: laterReason(before.rawFinishReason, chunk.rawFinishReason, isTakenBack),
  usage: chunk.usage ?? before.usage,
  cachedTokens: chunk.cachedTokens ?? before.cachedTokens,
  times: chunk.times ?? before.times,
  model: chunk.model ?? before.model,
})

/**
 * What broke an answer off is not undone by a later word, and what cut it not by a bare `stop`, unless `isTakenBack`: more
 * has come since.
 */
function laterReason(before: string | null, later: string | null, isTakenBack: boolean): string | null {
  if (later === null || isNoAnswer(before)) return before
  return later === 'stop' && !isTakenBack && isCut(before) ? before : later
}

/** Messages in place of deltas may hold the text so far; one that is just the same may be the same word again. */
const isGrown = ({ text }: Chunk, came: string, areGrowing: boolean): boolean =>
  text.startsWith(came) && (areGrowing || (came.length > 1 && text.length > came.length))

/** A last delta with the whole text once more, from servers that end with what they have collected. */
const isAllAgain = (given: Chunk, text: string, pieces: number): boolean =>
  given.rawFinishReason !== null && pieces > 2 && text.length >= 16 && given.text === text

const restOf = (whole: string, before: string): string =>
  whole.startsWith(before) ? whole.slice(before.length) : ''

/** A piece of an answer. */
interface Piece {
  readonly text: string
  readonly reasoning?: string | undefined
}

interface ThoughtSplitter {
  /** True: nothing but text will come any more, and it needs no splitting. */
  isText(): boolean
  /** True: a block of thoughts has begun and not ended. */
  isThinking(): boolean
  /** What of the text so far can be handed on. */
  push(text: string): Piece
  /** The text that was held back, once nothing more comes. */
  rest(): Piece
}

interface StopCutter {
  /** What of the text so far can be handed on. */
  push(text: string): string
  /** The text that was held back, once nothing more comes. */
  rest(): string
  isCut(): boolean
}

/**
 * Ends a text before the first stop string, for servers that write it out or do not know it. Undefined: there is none to
 * look for.
 */
function createStopCutter(stops: readonly string[] | undefined): StopCutter | undefined {
  if (!stops?.length) return undefined
  let held = ''
  let isCut = false
  return {
    push(text) {
      if (isCut) return ''
      held += text
      const places = stops.map((stop) => held.indexOf(stop)).filter((place) => place >= 0)
      isCut = places.length > 0
      const end = isCut
        ? Math.min(...places)
        : held.length - Math.max(...stops.map((stop) => begun(held, stop)))
      const out = held.slice(0, end)
      held = isCut ? '' : held.slice(end)
      return out
    },
    rest() {
      const rest = held
      held = ''
      return rest
    },
    isCut: () => isCut,
  }
}

/** How many characters at the end of a text may be the beginning of another. */
function begun(text: string, other: string): number {
  let length = Math.min(text.length, other.length - 1)
  while (length > 0 && !text.endsWith(other.slice(0, length))) length -= 1
  return length
}

/**
 * The tags around thoughts: of most models, Mistral, Kimi, Seed, OpenThinker, Command A, gpt-oss and Gemma. Tags that
 * prompts ask for (`<thinking>`, `<reasoning>`) are no such tags.
 */
const TAGS = [
  ['<think>', '</think>'],
  ['[THINK]', '[/THINK]'],
  ['◁think▷', '◁/think▷'],
  ['<seed:think>', '</seed:think>'],
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
  ['<|START_THINKING|>', '<|END_THINKING|>'],
  ['<|channel|>analysis<|message|>', '<|end|><|start|>assistant<|channel|>final<|message|>'],
  ['<|channel>thought\n', '<channel|>'],
] as const

/**
 * Parts such a block at the very beginning of a text from the answer behind it, however the text was cut into
 * pieces. The tags and the white space beside them belong to neither. A block that never ends is all thoughts; a tag
 * further on is text.
 */
function createThoughtSplitter(): ThoughtSplitter {
  let state: 'start' | 'opened' | 'thinking' | 'closed' | 'text' = 'start'
  let held = ''
  let close = ''
  const push = (given: string): Piece => {
    if (state === 'text') return { text: given }
    held += given
    if (state === 'start') {
      const start = held.trimStart()
      if (TAGS.some(([open]) => start.length < open.length && open.startsWith(start))) return NOTHING
      const tags = TAGS.find(([open]) => start.startsWith(open))
      state = tags ? 'opened' : 'text'
      if (!tags) return { text: take(held.length) }
      held = start.slice(tags[0].length)
      close = tags[1]
    }
    if (state === 'closed') return { text: afterwards() }
    if (state === 'opened') {
      held = held.trimStart()
      if (held !== '') state = 'thinking'
    }
    const end = held.indexOf(close)
    if (end < 0) return { text: '', reasoning: take(held.length - heldBack(held, close)) }
    const reasoning = take(end).trimEnd()
    held = held.slice(close.length)
    return { text: afterwards(), reasoning }
  }
  const take = (length: number): string => {
    const taken = held.slice(0, length)
    held = held.slice(length)
    return taken
  }
  const afterwards = (): string => {
    held = held.trimStart()
    state = held === '' ? 'closed' : 'text'
    return take(held.length)
  }
  return {
    isText: () => state === 'text',
    isThinking: () => state === 'opened' || state === 'thinking',
    push,
    rest() {
      const rest = take(held.length)
      return state === 'start' ? { text: rest } : { text: '', reasoning: rest.trimEnd() }
    },
  }
}

/** Characters at the end of thoughts that may belong to the closing tag, or to the white space before it. */
function heldBack(thoughts: string, close: string): number {
  const tag = begun(thoughts, close)
  return thoughts.length - thoughts.slice(0, thoughts.length - tag).trimEnd().length
}

const NOTHING: Piece = { text: '' }

/** The thoughts at the beginning of a whole text, and the text without them. */
function splitThoughts(text: string): Piece & { endedInThoughts?: boolean } {
  // Most answers have none: then this is all it costs.
  if (!/^\s*[<[◁]/.test(text)) return { text }
  const splitter = createThoughtSplitter()
  const first = splitter.push(text)
  const rest = splitter.rest()
  if (first.reasoning === undefined && rest.reasoning === undefined) return { text }
  const reasoning = (first.reasoning ?? '') + (rest.reasoning ?? '')
  return { text: first.text + rest.text, reasoning, endedInThoughts: splitter.isThinking() }
}
