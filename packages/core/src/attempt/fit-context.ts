import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ContextPolicy, Turn } from '../contract/prompt.ts'
import { mostToolTokens, turnText } from '../contract/prompt.ts'
import { type Cut, cutLeft, lastAsking, lengthOf } from './cut-left.ts'

/** The request as it is sent, so that prompt and answer fit. */
export interface Fit {
  readonly turns: readonly Turn[]
  readonly maxTokens: number
  /** The answer may be as long as the server lets it: nobody knows how much room there is. */
  readonly isOpenEnded?: true
  /** Tokens of the prompt by the backend's own tokenizer, where it was asked. */
  readonly promptTokens: number | undefined
  /** Places of the turns that were left out, in the conversation as it came. */
  readonly dropped: readonly number[]
  /** The beginning of a turn was cut off, as its event wanted. */
  readonly isCut?: true
}

export interface Fitting {
  readonly turns: readonly Turn[]
  /** Given by the caller: it is kept. Undefined: the default, or what room there is. */
  readonly maxTokens: number | undefined
  readonly defaultMaxTokens: number
  /** Present: `maxTokens` is a ceiling, cut to the room there is; where it is not given, this is. */
  readonly unasked?: number
  /** Definitions of tools, which are part of the prompt. */
  readonly tools?: readonly unknown[] | undefined
  readonly policy: ContextPolicy
  /** The context counts as no larger than this, in tokens. */
  readonly contextLimit?: number | undefined
  /** Characters at the beginning of the last user turn that `cut_left` leaves. Default 0. */
  readonly keepsFirst?: number
  /** Tokens that the backend holds, prompt and answer together; undefined: nobody knows. */
  contextLength(certainty: { readonly isCertain: boolean }): Promise<number | undefined>
  /** Undefined: the backend cannot count, or failed to. */
  count(turns: readonly Turn[]): Promise<number | undefined>
}

/** A shorter answer than this is of no use to anybody who did not ask for it. */
const LEAST_ANSWER = 16
/** No server that generates text holds less: below this nobody is asked for its context. */
const LEAST_CONTEXT = 512
/** Each round drops what the last count showed to be too much; more rounds mean that counting does not converge. */
const MAX_ROUNDS = 8

/**
 * Makes the conversation fit the context of one backend. Tokens are counted only where an upper bound (bytes of UTF-8
 * and 64 for each turn) is too long; a backend that cannot count is sent everything. A promise only where the backend
 * has to be asked: most prompts are short.
 */
export function fitContext(fitting: Fitting): Result<Fit> | Promise<Result<Fit>> {
  const { turns, maxTokens, defaultMaxTokens, unasked, tools, policy, contextLimit } = fitting
  const wanted = maxTokens ?? unasked ?? defaultMaxTokens
  const bound = mostTokens(turns) + mostToolTokens(tools, turns)
  if (bound + wanted > Math.min(LEAST_CONTEXT, contextLimit ?? LEAST_CONTEXT)) {
    const limited = contextLimit === undefined ? fitting : withLimit(fitting, contextLimit)
    if (policy === 'cut_left') return fitByCutting(limited, { wanted, bound })
    return unasked === undefined
      ? fitByCount(limited, { wanted, bound })
      : fitUnderCeiling(limited, { wanted, bound })
  }
  return success({ turns, maxTokens: wanted, promptTokens: undefined, dropped: [] })
}

const withLimit = (fitting: Fitting, limit: number): Fitting => ({
  ...fitting,
  contextLength: async (certainty) => Math.min(limit, (await fitting.contextLength(certainty)) ?? limit),
})

async function fitByCount(
  fitting: Fitting,
  { wanted, bound }: { wanted: number; bound: number },
): Promise<Result<Fit>> {
  const { turns, maxTokens, defaultMaxTokens, policy } = fitting
  const asItIs = success({ turns, maxTokens: wanted, promptTokens: undefined, dropped: [] })
  const known = await fitting.contextLength({ isCertain: false })
  // With "off" too, the context has to be known: what the server cuts is told afterwards.
  if (policy === 'off' || known === undefined || bound + wanted <= known) return asItIs
  const counted = await fitting.count(turns)
  if (counted === undefined) return asItIs
  // Another model may have been loaded behind the same port: no refusal rests on what was learned before.
  const fits = counted + (maxTokens ?? LEAST_ANSWER) <= known
  const context = fits ? known : await fitting.contextLength({ isCertain: true })
  if (context === undefined) return asItIs
  const room = context - (maxTokens ?? Math.min(defaultMaxTokens, LEAST_ANSWER))
  const fit =
    counted <= room
      ? { turns, promptTokens: counted, dropped: [] }
      : await shorten(fitting, { counted, room })
  if (!fit) return failure(tooLong(fitting, { counted, context }))
  return success({ ...fit, maxTokens: maxTokens ?? Math.min(defaultMaxTokens, context - fit.promptTokens) })
}

/** Left free, because counts differ a little from what the server reads: a full context looks like a cut prompt. */
const MARGIN = 32
/** An image takes about as much with the usual models; no tokenizer counts it. */
const IMAGE_TOKENS = 1_024
/** Where an upper bound takes no more than this part of the context, the room is not worth counting. */
const SMALL_PART = 1 / 8
/** A token is about this many bytes or more, where nothing counts. */
const BYTES_PER_TOKEN = 3

/** The answer gets what room there is, up to what is wanted. Only a prompt that is too long by itself is refused. */
async function fitUnderCeiling(
  fitting: Fitting,
  { wanted, bound }: { wanted: number; bound: number },
): Promise<Result<Fit>> {
  const { turns, defaultMaxTokens, policy } = fitting
  const known = await fitting.contextLength({ isCertain: false })
  if (known === undefined) return success(withoutContext(fitting, wanted))
  if (bound + wanted <= known)
    return success({ turns, maxTokens: wanted, promptTokens: undefined, dropped: [] })
  // A server that holds less than it did would cut the prompt for the sake of so long an answer.
  const context = await fitting.contextLength({ isCertain: true })
  if (context === undefined) return success(withoutContext(fitting, wanted))
  const isSmall = bound <= context * SMALL_PART
  const counted = isSmall ? bound : await fitting.count(turns)
  const size = counted ?? likelyTokens(fitting)
  const promptTokens = isSmall ? undefined : counted
  const asItIs = () =>
    success({
      turns,
      maxTokens: roomFor(fitting, { wanted, room: context - size }),
      promptTokens,
      dropped: [],
    })
  if (counted === undefined || policy === 'off') return asItIs()
  const useful = Math.min(wanted, defaultMaxTokens, Math.floor(context / 4)) + MARGIN
  const fit =
    counted + useful <= context ? undefined : await shorten(fitting, { counted, room: context - useful })
  if (!fit)
    return counted + LEAST_ANSWER <= context ? asItIs() : failure(tooLong(fitting, { counted, context }))
  const room = context - fit.promptTokens
  return success({ ...fit, maxTokens: roomFor({ ...fitting, ...fit }, { wanted, room }) })
}

/** Without a ceiling of its own an answer gets the server's, where nobody knows the context. */
function withoutContext({ turns, defaultMaxTokens }: Fitting, wanted: number): Fit {
  const fit = { turns, promptTokens: undefined, dropped: [] }
  return Number.isFinite(wanted)
    ? { ...fit, maxTokens: wanted }
    : { ...fit, maxTokens: defaultMaxTokens, isOpenEnded: true }
}

function roomFor(
  { turns, defaultMaxTokens }: Pick<Fitting, 'turns' | 'defaultMaxTokens'>,
  { wanted, room }: { wanted: number; room: number },
): number {
  const images = turns.flatMap(({ content }) => (Array.isArray(content) ? content : []))
  const spared = MARGIN + IMAGE_TOKENS * images.filter(({ type }) => type === 'image_url').length
  // Where so much cannot be spared, or nothing is left by an estimate, the answer is kept short instead.
  const left = room - spared >= LEAST_ANSWER ? room - spared : Math.min(defaultMaxTokens, room)
  return Math.min(wanted, left >= LEAST_ANSWER ? left : defaultMaxTokens)
}

function likelyTokens({ turns, tools }: Fitting): number {
  let bytes = 0
  for (const turn of turns) bytes += Buffer.byteLength(turnText(turn))
  return Math.ceil(bytes / BYTES_PER_TOKEN) + mostToolTokens(tools, turns)
}

interface Shortened {
  readonly turns: readonly Turn[]
  readonly promptTokens: number
  readonly dropped: readonly number[]
}

async function shorten(
  { turns, tools, policy, count }: Fitting,
  { counted, room }: { counted: number; room: number },
): Promise<Shortened | undefined> {
  if (policy !== 'drop_oldest') return undefined
  const lastUser = lastAsking(turns)
  const droppable = turns.flatMap(({ role }, index) =>
    role === 'system' || index >= lastUser ? [] : [index],
  )
  const bytesPerToken = mostTokens(turns) / Math.max(1, counted - mostToolTokens(tools, turns))
  const dropped: number[] = []
  let promptTokens = counted
  for (let round = 0; round < MAX_ROUNDS && promptTokens > room; round++) {
    let excess = (promptTokens - room) * bytesPerToken
    if (droppable.length === 0) return undefined
    while (excess > 0 && droppable.length > 0) {
      const index = droppable.shift()
      if (index === undefined) break
      dropped.push(index)
      excess -= mostTokens(turns.slice(index, index + 1))
    }
    const left = await count(turns.filter((_, index) => !dropped.includes(index)))
    if (left === undefined) return undefined
    promptTokens = left
  }
  if (promptTokens > room) return undefined
  return { turns: turns.filter((_, index) => !dropped.includes(index)), promptTokens, dropped }
}

/** Of a longer answer the rest is not worth a prompt that is cut down to nothing. */
const LARGEST_CUT_SHARE = 0.8
/** Less is kept than a count says that fits: tokens are not spread evenly over a text. */
const KEPT_SHARE = 0.98

/**
 * The answer gets what is wanted, and of the prompt its end goes into the rest: first whole turns are left out, then the
 * beginning of the last turn of the user. Where nothing counts, an estimate decides. Never refused.
 */
async function fitByCutting(
  fitting: Fitting,
  { wanted, bound }: { wanted: number; bound: number },
): Promise<Result<Fit>> {
  const { defaultMaxTokens, tools } = fitting
  const context = await fitting.contextLength({ isCertain: true })
  if (context === undefined) return success(withoutContext(fitting, wanted))
  if (bound + wanted <= context) {
    return success({ turns: fitting.turns, maxTokens: wanted, promptTokens: undefined, dropped: [] })
  }
  const most = Math.max(1, Math.floor(context * LARGEST_CUT_SHARE))
  const maxTokens = Math.min(Number.isFinite(wanted) ? wanted : defaultMaxTokens, most)
  const room = context - maxTokens
  let cut: Cut = { turns: fitting.turns, dropped: [] }
  let counted = await fitting.count(cut.turns)
  let size = counted ?? likelyTokens(fitting)
  const ofTools = mostToolTokens(tools, cut.turns)
  for (let round = 0; round < MAX_ROUNDS && size > room && lengthOf(cut.turns) > 1; round++) {
    const length = lengthOf(cut.turns)
    const kept = (length / Math.max(1, size - ofTools)) * Math.max(0, room - ofTools) * KEPT_SHARE
    cut = cutLeft(cut, fitting, Math.ceil(length - kept))
    counted = counted === undefined ? undefined : await fitting.count(cut.turns)
    size = counted ?? likelyTokens({ ...fitting, turns: cut.turns })
  }
  return success({ ...cut, maxTokens, promptTokens: counted })
}

function tooLong(
  { turns, tools, maxTokens, unasked, policy }: Fitting,
  { counted, context }: { counted: number; context: number },
): Failure {
  const ofTools = mostToolTokens(tools, turns)
  const prompt = `The prompt has ${counted} tokens${ofTools > 0 ? ` (tools: up to ${ofTools})` : ''}`
  if (unasked !== undefined) {
    const remedy =
      policy === 'drop_oldest'
        ? 'the system turns and the last user turn alone are too long; shorten them'
        : 'shorten it, start a new conversation, or load the model with a larger context'
    return tooLongBecause(`${prompt}, and the context holds ${context}: ${remedy}.`)
  }
  const remedy =
    policy === 'drop_oldest'
      ? 'the system turns and the last user turn alone are too long; shorten them or ask for less'
      : 'shorten the prompt, ask for fewer `max_tokens`, or set `context_policy` to `drop_oldest`'
  const needed = maxTokens ?? LEAST_ANSWER
  return tooLongBecause(
    `${prompt} and the answer needs ${needed}, but the context holds ${context}: ${remedy}.`,
  )
}

const tooLongBecause = (details: string): Failure => ({ code: 'context_length_exceeded', details })

/** Tags and counts differ a little between a tokenizer's answer and a generation. */
const SLACK_RATIO = 0.1
const SLACK_TOKENS = 32

/** Of a longer answer KoboldCPP 1.115.1 generates only so much of its context, and cuts the prompt to the rest. */
const LARGEST_ANSWER_SHARE = 0.8

/**
 * Whether the server read less than it was sent. Known where the prompt was counted before, where fewer tokens were read
 * than the prompt has half words, and where exactly the room beside the answer was filled: `context` is given for that,
 * of a server that cuts so. A server without real counts cannot be caught.
 */
export function wasTruncated(
  fit: Fit,
  promptTokens: number | undefined,
  context: number | undefined,
): boolean {
  if (promptTokens === undefined) return false
  if (fit.promptTokens !== undefined) {
    return promptTokens < fit.promptTokens * (1 - SLACK_RATIO) - SLACK_TOKENS
  }
  const least = leastTokens(fit.turns)
  if (least !== undefined && promptTokens < least) return true
  if (context === undefined) return false
  return promptTokens === context - Math.min(fit.maxTokens, Math.ceil(context * LARGEST_ANSWER_SHARE))
}

/** Tags, role names and the like, for each turn. */
const TOKENS_PER_TURN = 64

/** No texts have more tokens: a token is one byte at least. */
function mostTokens(turns: readonly Turn[]): number {
  let bytes = 0
  for (const turn of turns) bytes += Buffer.byteLength(turnText(turn)) + TOKENS_PER_TURN
  return bytes
}

/** Fewer words than this say nothing. */
const FEWEST_WORDS = 20

/**
 * Half of its words: a prompt has more tokens than that with every usual tokenizer, because tokenizers do not join words.
 * Undefined for a short prompt.
 */
function leastTokens(turns: readonly Turn[]): number | undefined {
  let words = 0
  for (const turn of turns) words += turnText(turn).match(/\S+/g)?.length ?? 0
  return words < FEWEST_WORDS ? undefined : Math.floor(words / 2)
}
