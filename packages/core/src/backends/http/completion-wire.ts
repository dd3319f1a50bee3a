import * as v from 'valibot'
import { BackendError } from '../../contract/backend.ts'
import type { FinishReason, ToolCall } from '../../contract/outcome.ts'
import { at, type ErrorPlace } from './errors.ts'

// Only the fields we read are named; anything else may come and go. A side field of the wrong type is passed over,
// a main one (text, choices) makes the reply one of the wrong shape.

export const optionalText = v.fallback(v.nullish(v.string()), undefined)
export const optionalNumber = v.fallback(v.nullish(v.number()), undefined)
/** The place of a choice or of a call among several; some servers write it as a text. */
const optionalIndex = v.optional(v.pipe(v.unknown(), v.transform(toIndex)))
/**
 * An empty reason is none: Ollama, SGLang and gateways write it into all events but the last. The string "null" is what
 * KoboldCPP 1.76 writes into its streams, and others write that they are not done.
 */
export const finishReason = v.fallback(
  v.pipe(
    v.nullish(v.string(), null),
    v.transform((reason) => (reason === null || isNoReason(reason) ? null : reason)),
  ),
  null,
)
const NO_REASON =
  /^\s*(?:|null|none|nil|undefined|(?:finish_reason_)?unspecified|not_finished|in[-_ ]?progress|continue|generating|running|pending)\s*$/i

/** The usual word needs no look. */
function isNoReason(reason: string): boolean {
  return reason !== 'stop' && NO_REASON.test(reason)
}
/** Anything else counts nothing: some servers say -1 for what they do not know. */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
export const optionalCount = v.fallback(v.nullish(count), undefined)
const usage = v.fallback(
  v.nullish(
    v.object({
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: v.fallback(v.nullish(v.object({ cached_tokens: optionalCount })), undefined),
    }),
  ),
  undefined,
)
/** What llama.cpp adds: tokens of the prompt that it had kept, and how long it read and wrote. */
const timings = v.fallback(
  v.nullish(v.object({ cache_n: optionalCount, prompt_ms: optionalNumber, predicted_ms: optionalNumber })),
  undefined,
)
const toolCall = v.object({
  index: optionalIndex,
  id: optionalText,
  function: v.nullish(
    v.object({
      name: optionalText,
      arguments: v.nullish(v.union([v.string(), v.custom<object>(isObject)])),
    }),
  ),
})
/**
 * One call alone, and name and arguments without `function` around them are read, too. Some servers write calls that say
 * nothing, or an empty text for none, into every event.
 */
const toolCalls = v.nullish(
  v.pipe(v.custom<object | '' | false>(isListOrNothing), v.transform(listOfCalls), v.array(toolCall)),
)
const common = { id: optionalText, model: optionalText, usage, timings }
/** Text, or one or several parts: text, thoughts, and what we do not know. A union would cost each token more. */
const content = v.nullish(v.pipe(v.custom<string | object>(isContent), v.transform(asText)))
const message = v.object({
  content,
  reasoning_content: optionalText,
  /** What Ollama, OpenRouter and newer vLLM call it. */
  reasoning: optionalText,
  /** What OpenAI's models say instead of an answer. */
  refusal: optionalText,
  tool_calls: toolCalls,
})

const choice = v.object({
  index: optionalIndex,
  delta: v.nullish(message),
  /** What some adapters call the delta, where their backend does not stream or only completes texts. */
  message: v.nullish(message),
  text: optionalText,
  finish_reason: finishReason,
})

export const chatReply = v.object({ ...common, choices: v.array(choice) })

/** An event without choices may hold usage, or be of another kind. */
export const chatChunk = v.object({ ...common, choices: v.nullish(v.array(choice)) })

export const textReply = v.object({
  ...common,
  choices: v.array(v.object({ index: optionalIndex, text: v.string(), finish_reason: finishReason })),
})

export const textChunk = v.object({
  ...common,
  choices: v.nullish(
    v.array(v.object({ index: optionalIndex, text: v.nullish(v.string()), finish_reason: finishReason })),
  ),
})

/** We ask for one answer; of several the first one counts, wherever it stands. */
export const firstChoice = <Choice extends { readonly index?: number | null | undefined }>(
  choices: readonly Choice[] | null | undefined,
): Choice | undefined => choices?.find(({ index }) => index === 0) ?? choices?.[0]

export type WireToolCall = v.InferOutput<typeof toolCall>
export type WireMessage = v.InferOutput<typeof message>

/** Kept as it is: valibot's record would make an object of a list. */
function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isContent(value: unknown): boolean {
  return isObject(value) || ['string', 'number', 'boolean'].includes(typeof value)
}

/** JSON that was asked for comes as its value from some gateways. */
function asText(value: string | object): string | object {
  if (typeof value === 'string' || Array.isArray(value)) return value
  if (!isObject(value)) return `${value}`
  if ('type' in value || 'text' in value) return value
  const text = JSON.stringify(value)
  return text === '{}' ? '' : text
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (isObject(value) ? (value as Fields) : {})

function toIndex(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d{1,4}$/.test(value)) return Number(value)
  return typeof value === 'number' ? value : undefined
}

function isListOrNothing(value: unknown): boolean {
  return isObject(value) || value === '' || value === false
}

function listOfCalls(given: object | '' | false): unknown[] {
  return [given].flat().flatMap((call) => {
    const fields = fieldsOf(call)
    const called = fieldsOf(fields.function ?? fields)
    const { name, arguments: text = called.parameters ?? called.input } = called
    if (!fields.id && !name && !text) return []
    return { ...fields, function: fields.function === null ? null : { name, arguments: text } }
  })
}

/** The choice of a reply or of an event as it came, for what stands in other places than OpenAI's. */
function rawChoice(data: unknown): { readonly choice: Fields; readonly message: Fields } {
  const { choices } = fieldsOf(data)
  const choice = fieldsOf(Array.isArray(choices) ? choices[0] : undefined)
  return { choice, message: fieldsOf(choice.delta ?? choice.message) }
}

/** Why an answer ended, where its choice does not say it in the usual place: in the words of other dialects. */
export function reasonElsewhere(data: unknown): string | null {
  const { choice, message } = rawChoice(data)
  const { finish_reason, done_reason, stop_reason } = fieldsOf(data)
  const own = fieldsOf(choice.finish_reason)
  const places = [choice.finishReason, own.type, own.reason, fieldsOf(choice.finish_details).type]
  const others = [message.finish_reason, choice.stop_reason, finish_reason, done_reason, stop_reason]
  const found = [...places, ...others].find((one) => typeof one === 'string' && !isNoReason(one))
  return typeof found === 'string' ? found : null
}

/** The text of an event in which none stands in the usual place. */
export function textElsewhere(data: unknown): string {
  const { choice, message } = rawChoice(data)
  const isBare = choice.delta === undefined && choice.message === undefined
  const places = isBare ? [choice.text, choice.content] : [message.text]
  return places.find((one): one is string => typeof one === 'string') ?? ''
}

/** Thoughts by the names that other servers give to them. */
export function thoughtsElsewhere(data: unknown): string | undefined {
  const { thinking, thought, reasoning_text, reasoning, reasoning_details } = rawChoice(data).message
  const details = Array.isArray(reasoning_details) ? reasoning_details : []
  const parts = details.map((part) => fieldsOf(part).text ?? fieldsOf(part).summary)
  const joined = parts.filter((part) => typeof part === 'string').join('')
  const places = [thinking, thought, reasoning_text, fieldsOf(reasoning).content, fieldsOf(reasoning).text]
  return places.find((one): one is string => typeof one === 'string' && one !== '') ?? (joined || undefined)
}

/** The only call of a tool, as OpenAI wrote it before there were several. */
export function callElsewhere(data: unknown): WireToolCall[] | undefined {
  const called = rawChoice(data).message.function_call
  const { success, output } = v.safeParse(toolCalls, called && [{ function: called }])
  return success && output?.length ? output : undefined
}

export function toToolCall({ id, function: called }: WireToolCall, index: number): ToolCall {
  const given = called?.arguments ?? ''
  const text = typeof given === 'string' ? unquoted(given) : JSON.stringify(given)
  return {
    id: id || `call_${index}`,
    type: 'function',
    // A function without parameters is called with nothing at all by some servers, which no client can parse.
    function: { name: called?.name ?? '', arguments: NO_ARGUMENTS.test(text) ? '{}' : text },
  }
}

const NO_ARGUMENTS = /^\s*(?:null\s*)?$/

/** The arguments within a text of JSON: some servers write them as JSON twice. */
function unquoted(given: string): string {
  if (!/^\s*"\s*\{/.test(given)) return given
  try {
    const text: unknown = JSON.parse(given)
    return typeof text === 'string' && isWhole(text) ? text : given
  } catch {
    return given
  }
}

/** A call as its pieces have built it so far. */
export interface CollectedCall extends WireToolCall {
  /** Its arguments as pieces that follow each other. */
  joined?: string
  /** The piece before, as long as each has begun with the one before it, and how many there were. */
  grown?: { readonly piece: string; readonly count: number } | undefined
  /** Its name came once more behind whole arguments: what follows may be another call of the same tool. */
  isNamedAgain?: boolean
}

/** Adds what one event of a stream says of a call: its id and name once, its arguments piece by piece. */
export function addToolCall(calls: CollectedCall[], part: WireToolCall): void {
  const call = callOf(calls, part)
  if (!call) {
    calls.push(collected({ ...part, index: part.index ?? calls.length }))
    return
  }
  const { name, arguments: more } = part.function ?? {}
  if (call.isNamedAgain && typeof more === 'string' && more !== '' && !continues(call, more)) {
    calls.push(collected({ ...part, function: { name: call.function?.name, arguments: more } }))
    return
  }
  call.isNamedAgain ||= Boolean(name && !part.id && !more && !isOpen(call))
  call.id ||= part.id
  call.function = { name: joinNames(call.function, name), arguments: addArguments(call, more) }
}

function collected(call: CollectedCall): CollectedCall {
  const given = call.function?.arguments
  if (typeof given === 'string' && given !== '') {
    call.joined = given
    call.grown = { piece: given, count: 1 }
  }
  return call
}

/**
 * The arguments with one more piece. Some servers write all of them so far into each piece, or the whole of them once
 * more at the end: that is read so where the pieces behind each other are no JSON.
 */
function addArguments(call: CollectedCall, more: Arguments): Arguments {
  const before = call.function?.arguments
  if (more === '' || more === null || more === undefined) return before ?? more
  if (typeof more !== 'string' || (before && typeof before !== 'string')) return more
  // Its length comes first: a long call comes in many pieces.
  if (before && continues(call, more) && isWhole(before)) return more
  const joined = (call.joined ?? '') + more
  const { grown } = call
  const count = !grown ? (before ? 0 : 1) : more.startsWith(grown.piece) ? grown.count + 1 : 0
  call.joined = joined
  call.grown = count > 0 ? { piece: more, count } : undefined
  if (count < 2 || more === grown?.piece || isWhole(joined)) return joined
  return count > 2 || isWhole(more) || !VALUE_FOLLOWS.test(grown?.piece ?? '') ? more : joined
}

/** After these an object may follow that begins like the one that it is in. */
const VALUE_FOLLOWS = /^(?!\s*\{\s*")|[:,[]\s*$/

/** Whether a piece holds the arguments of a call, which are whole, once more, or as far as they have come by now. */
function continues({ function: called }: WireToolCall, more: string): boolean {
  const before = called?.arguments
  if (typeof before !== 'string' || more.length < before.length) return false
  // Some close what is still open each time.
  return more === before || (more.startsWith(withoutEnd(before, /["}\]\s]/)) && isWhole(more))
}

/** A text without such characters at its end. A pattern with `+$` would look at each run of them within the text. */
export function withoutEnd(text: string, character: RegExp): string {
  let end = text.length
  while (end > 0 && character.test(text.charAt(end - 1))) end -= 1
  return text.slice(0, end)
}

function isWhole(json: string): boolean {
  // Most pieces are refused by their ends.
  if (!/^\s*[[{]/.test(json) || !/[\]}]\s*$/.test(json)) return false
  return !isOpen({ function: { arguments: json } })
}

/** A name may come in pieces, before the arguments; most servers that write one again write the whole of it. */
function joinNames(before: WireToolCall['function'], more: string | null | undefined) {
  const { name, arguments: given } = before ?? {}
  return name && more && name !== more && !given ? name + more : name || more
}

/**
 * The call that a piece belongs to. Undefined: it begins a new one. Pieces are told apart by id and index; a server
 * that leaves out one or the other, or counts wrongly, writes its calls one after the other. Ollama gives every call
 * the index 0 (its issue 15457), so another id is another call, but a piece without a name begins none.
 */
function callOf(calls: readonly CollectedCall[], part: WireToolCall): CollectedCall | undefined {
  const { id, index } = part
  const { name, arguments: more } = part.function ?? {}
  const last = calls.at(-1)
  if (!last) return undefined
  const here = typeof index === 'number' ? calls.findLast((call) => call.index === index) : undefined
  if (here) {
    if (id && here.id && id !== here.id) {
      return isOpen(here) && (!name || repeats(here, name, more)) ? here : undefined
    }
    if (repeats(here, name, more) && (id ? id === here.id : isStreamed(here))) return here
    return beginsAnother(here, part) ? undefined : here
  }
  const same = id ? calls.findLast((call) => call.id === id) : undefined
  if (same) {
    const isSame = !name || (typeof index !== 'number' && isOpen(same)) || startsAgain(same, name, more)
    return isSame ? same : undefined
  }
  if (id || typeof index === 'number') return !name && isOpen(last) ? last : undefined
  return !name || !last.function?.name || (name === last.function.name && isOpen(last)) ? last : undefined
}

/** Whether a piece that names the tool again holds its arguments so far, and maybe more of them. */
function repeats(
  { function: called, grown }: CollectedCall,
  name: string | null | undefined,
  more: Arguments,
): boolean {
  const before = grown?.piece ?? called?.arguments
  if (!before || typeof before !== 'string' || typeof more !== 'string' || name !== called?.name) return false
  return more.startsWith(before) || continues({ function: called }, more)
}

/** The same, or the first piece had no arguments: LocalAI writes one call, with one id, at several places. */
const startsAgain = (call: CollectedCall, name: string, more: Arguments): boolean =>
  repeats(call, name, more) || (call.function?.name === name && !call.function.arguments)

/** Its arguments came in more than one piece. */
const isStreamed = ({ function: called, grown }: CollectedCall): boolean => grown?.piece !== called?.arguments

/** Whether a piece with the place of a call is another call all the same, of a server that gives all the same place. */
function beginsAnother(
  { function: before, ...call }: WireToolCall,
  { function: called }: WireToolCall,
): boolean {
  if (!before?.name || !called?.name || !called.arguments) return false
  if (!isOpen({ ...call, function: before })) return true
  // The first may have no arguments.
  return !before.arguments && before.name !== called.name && !isOpen({ function: called })
}

/** Its arguments are not complete yet. */
function isOpen({ function: called }: WireToolCall): boolean {
  if (typeof called?.arguments !== 'string') return !called?.arguments
  try {
    JSON.parse(called.arguments)
    return false
  } catch {
    return true
  }
}

/** Whether the last call breaks off within its arguments. */
const isCutOff = (calls: readonly WireToolCall[] | undefined): boolean => {
  const given = calls?.at(-1)?.function?.arguments
  return typeof given === 'string' && given.trim() !== '' && isOpen({ function: { arguments: given } })
}

type Arguments = NonNullable<WireToolCall['function']>['arguments']

/** What of an answer tells how it ended. */
interface Ended {
  readonly text: string
  readonly rawFinishReason: string | null
  readonly toolCalls?: readonly WireToolCall[] | undefined
  readonly usage?: { readonly completion_tokens: number } | undefined
  /** A stop string ended the text before its server did. */
  readonly isStopped?: boolean
}

/** What a server's own word for the end of an answer means. */
type Ending = FinishReason | 'stopped' | 'failed'

/** The words of most servers, so that most answers need no look at how a word is made. */
const WORDS: Readonly<Record<string, Ending>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  abort: 'stopped',
  error: 'failed',
}

/** The answer was ended before it was whole: vLLM's `abort`, LM Studio's `userStopped`, and their kind. */
const STOPPED =
  /abort|cancel|interrupt|terminat|kill|shut_?down|preempt|evict|disconnect|unload|time_?(?:d_?)?out|time_?limit|insufficient|incomplete|unfinished|(?:server|client|user|forced?|manual)(?:ly)?_?stop|stop(?:ped)?_?by_?(?:user|client|server)|halt|paus|rate_?limit|quota|credits|expired|deadline|connection|resource_?exhaust|^partial$/i
const FAILED = /error|fail|exception|out_?of_?memory|^oom$|crash|malformed|unexpected/i
/** A limit: of the request (`max_tokens` of some gateways), of the context, or vLLM's on how often a text repeats itself. */
const LENGTH =
  /length|max\w{0,16}tok|max_?output|context|truncat|limit|budget|exceed|too_?long|cut_?off|repetition|exhaust|cache_?full|no_\w*space/i
const FILTER =
  /filter|safety|sensitive|refusal|moderation|blocklist|prohibited|recitation|guardrail|^block|polic/i

/** An unknown word is a `stop`, as is none where the stream ended in good order. */
function readFinishReason(raw: string | null): Ending {
  if (raw === null) return 'stop'
  const known = WORDS[raw]
  if (known) return known
  if (STOPPED.test(raw)) return 'stopped'
  if (FAILED.test(raw)) return 'failed'
  if (FILTER.test(raw)) return 'content_filter'
  return LENGTH.test(raw) ? 'length' : 'stop'
}

/** Whether a finish reason says that there is no answer: then no later reason makes one of it. */
export const isNoAnswer = (raw: string | null): boolean =>
  raw !== null && ['stopped', 'failed'].includes(readFinishReason(raw))

/** Whether a finish reason says that an answer is whole only as far as it goes. */
export const isCut = (raw: string | null): boolean =>
  raw !== null && ['length', 'content_filter'].includes(readFinishReason(raw))

/**
 * Throws where an answer says itself that it is none: the generation failed, somebody stopped it, or it calls a tool
 * that it does not name, or not to its end. `limit`: how many tokens were asked for.
 */
export function refuseUnfinished(answer: Ended, place: ErrorPlace, limit?: number): void {
  const { rawFinishReason, text, toolCalls } = answer
  const ending = readFinishReason(rawFinishReason)
  const partial = text === '' ? {} : { partial: text }
  if (ending === 'tool_calls' && !toolCalls?.length && text.trim() === '') {
    throw new BackendError('wrong_shape', `${at(place)} says that it calls a tool, and names none.`)
  }
  if (toolCalls?.some((call) => !call.function?.name)) {
    throw new BackendError('wrong_shape', `${at(place)} calls a tool without its name.`, partial)
  }
  if (rawFinishReason === null && isCutOff(toolCalls) && !isFull(answer, limit)) {
    throw new BackendError('interrupted', `${at(place)} ended within the arguments of a tool call.`, partial)
  }
  if (ending === 'stopped') {
    const message = `${at(place)} reports that the generation was stopped before it was whole (${named(rawFinishReason)}).`
    throw new BackendError('interrupted', message, partial)
  }
  if (ending === 'failed') {
    throw new BackendError('wrong_shape', `${at(place)} reports that the generation failed.`, partial)
  }
}

/** Without a word for its end: whether it has as many tokens as were asked for. */
const isFull = ({ rawFinishReason, usage }: Ended, limit = Number.POSITIVE_INFINITY): boolean =>
  rawFinishReason === null && (usage?.completion_tokens ?? 0) >= limit

/** A reason is a word of the server; what is longer may be anything. */
const named = (reason: string | null): string =>
  reason !== null && /^[\w -]{1,40}$/.test(reason) ? `finish reason ${reason}` : 'by its finish reason'

/**
 * The finish reason in the contract's words, as the server gave it. Calls of tools are their own reason, unless they
 * were cut off or withheld. Without a word the count of tokens tells: `limit` is how many were asked for.
 */
export function endOf(answer: Ended, limit?: number): FinishReason {
  const { rawFinishReason, toolCalls } = answer
  const ending = readFinishReason(rawFinishReason)
  if (ending === 'content_filter') return ending
  const isLimited = !answer.isStopped && (ending === 'length' || isFull(answer, limit))
  if (toolCalls?.length) return isLimited && isCutOff(toolCalls) ? 'length' : 'tool_calls'
  return isLimited ? 'length' : 'stop'
}
