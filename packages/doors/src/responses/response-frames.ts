import type { Failure, Outcome, ToolCall } from '@ai-ticket/core'
import {
  callItem,
  errorOf,
  messageItem,
  type ResponseParts,
  reasoningItem,
  responseBody,
  statusOf,
  textPart,
} from './response-body.ts'

type Fields = Readonly<Record<string, unknown>>

/** Where the frames of a stream have got to: what is open, and what was said so far. */
type Open =
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'message'; readonly text: string }

/** A response before its end, as its first frames show it. */
export type StartedResponse = Omit<ResponseParts, 'status' | 'outcome' | 'completedAt'>

export interface FramesOptions {
  readonly wallTime: () => number
  /**
   * The numbers tell the place in the text, so that a stream that is made again has the same ones, and a reader who has
   * all up to `startingAfter` gets what comes behind it. Default: they count the frames.
   */
  readonly startingAfter?: number
}

/** Numbers of one run of a ticket: a few frames, its text, and the frames that close it. Its text is shorter than that. */
const RUN = 10_000_000_000
const TEXT = 100
const CLOSING = 9_000_000_000

/**
 * The frames of one response, in the order that OpenAI's clients check: `created`, `in_progress`, each item from `added` to
 * `done`, and one of `completed`, `incomplete`, `failed`. Each has the next `sequence_number`. Keeps what was said,
 * because the frames that close an item repeat it.
 */
export class ResponseFrames {
  readonly #response: StartedResponse
  readonly #wallTime: () => number
  readonly #startingAfter: number | undefined
  #sequence = 0
  #items = 0
  #open: Open | undefined
  #said = { reasoning: false, message: false }

  constructor(response: StartedResponse, { wallTime, startingAfter }: FramesOptions) {
    this.#response = response
    this.#wallTime = wallTime
    this.#startingAfter = startingAfter
  }

  /** The first frames. `queued`: it waits as a ticket. */
  start(status: 'queued' | 'in_progress'): string {
    const response = responseBody({ ...this.#response, status })
    return (
      this.#frame('response.created', { response }) +
      this.#frame(status === 'queued' ? 'response.queued' : 'response.in_progress', { response })
    )
  }

  /** A ticket that waited runs now. What an earlier run has said is closed: this one starts from the beginning. */
  run(number: number): string {
    const before = this.#close('incomplete')
    if (this.#startingAfter !== undefined) this.#sequence = number * RUN
    return (
      before +
      this.#frame('response.in_progress', {
        response: responseBody({ ...this.#response, status: 'in_progress' }),
      })
    )
  }

  delta({
    text,
    reasoning = '',
  }: {
    readonly text: string
    readonly reasoning?: string | undefined
  }): string {
    return this.#add('reasoning', reasoning) + this.#add('message', text)
  }

  /** Closes what is open, adds what was not streamed, and says how it ended. */
  end(outcome: Outcome): string {
    const rest = this.#rest(outcome)
    if (this.#startingAfter !== undefined) this.#sequence += CLOSING - (this.#sequence % RUN)
    const last = rest + this.#close(statusOf(outcome))
    return last + this.#lateThoughts(outcome) + this.#calls(outcome) + this.#last(outcome)
  }

  /** The last frame where nothing more can be told: how the response ends is not known. */
  broken({ code, details }: Failure): string {
    return write({
      ...{ type: 'error', sequence_number: this.#sequence++ },
      ...{ code, message: details, param: null },
    })
  }

  /** What only comes whole: an answer in one piece, or one that the caller must see checked. */
  #rest(outcome: Outcome): string {
    if (outcome.error !== undefined) return ''
    const { completion, reasoning = '', tool_calls } = outcome
    // Of a stored response they always come behind: their place in the text must not depend on when it is read.
    const areLate = this.#startingAfter !== undefined || this.#said.message
    const thoughts = this.#said.reasoning || areLate ? '' : this.#add('reasoning', reasoning)
    if (this.#said.message || (completion === '' && tool_calls !== undefined)) return thoughts
    return thoughts + (this.#openItem('message') + this.#add('message', completion))
  }

  /** Thoughts that a backend tells only with its end, behind what it has said. */
  #lateThoughts(outcome: Outcome): string {
    if (outcome.error !== undefined || this.#said.reasoning) return ''
    const thoughts = this.#add('reasoning', outcome.reasoning ?? '')
    return thoughts + this.#close('completed')
  }

  #last(outcome: Outcome): string {
    const status = statusOf(outcome)
    const response = responseBody({
      ...this.#response,
      status,
      outcome,
      completedAt: this.#wallTime(),
    })
    if (status !== 'cancelled') return this.#frame(`response.${status}`, { response })
    // It has no event of its own. AI SDK takes `response.failed` without an error for an end like any other.
    return this.#frame('response.failed', { response: { ...response, error: errorOf(outcome) } })
  }

  #add(type: Open['type'], text: string): string {
    if (text === '') return ''
    const opening = this.#openItem(type)
    this.#open = { type, text: (this.#open?.text ?? '') + text }
    const at = { item_id: this.#itemId(type), output_index: this.#items, content_index: 0 }
    const delta = this.#unseen(text)
    if (delta === '') return opening
    return (
      opening +
      (type === 'message'
        ? this.#frame('response.output_text.delta', { ...at, delta, logprobs: [] })
        : this.#frame('response.reasoning_text.delta', { ...at, delta }))
    )
  }

  #openItem(type: Open['type']): string {
    if (this.#open?.type === type) return ''
    const before = this.#close('completed')
    this.#open = { type, text: '' }
    this.#said = { ...this.#said, [type]: true }
    const { tail } = this.#response
    const at = { output_index: this.#items }
    if (type === 'reasoning') {
      const item = { ...reasoningItem(tail, ''), content: [] }
      return before + this.#frame('response.output_item.added', { ...at, item })
    }
    const item = { ...messageItem(tail, '', 'in_progress'), content: [] }
    return (
      before +
      this.#frame('response.output_item.added', { ...at, item }) +
      this.#frame('response.content_part.added', {
        item_id: this.#itemId(type),
        ...at,
        content_index: 0,
        part: textPart(''),
      })
    )
  }

  #close(status: string): string {
    const open = this.#open
    if (open === undefined) return ''
    this.#open = undefined
    const { type, text } = open
    const { tail } = this.#response
    const at = { output_index: this.#items++ }
    const within = { item_id: this.#itemId(type), ...at, content_index: 0 }
    if (type === 'reasoning') {
      return (
        this.#frame('response.reasoning_text.done', { ...within, text }) +
        this.#frame('response.output_item.done', { ...at, item: reasoningItem(tail, text) })
      )
    }
    return (
      this.#frame('response.output_text.done', { ...within, text, logprobs: [] }) +
      this.#frame('response.content_part.done', { ...within, part: textPart(text) }) +
      this.#frame('response.output_item.done', {
        ...at,
        item: messageItem(tail, text, status === 'completed' ? status : 'incomplete'),
      })
    )
  }

  #calls(outcome: Outcome): string {
    const calls: readonly ToolCall[] = (outcome.error === undefined && outcome.tool_calls) || []
    const frames = calls.map((call, index) => {
      const item = callItem(this.#response.tail, index, { call, outcome })
      const { name, arguments: words } = call.function
      const at = { output_index: this.#items++ }
      const within = { item_id: item.id, ...at }
      return (
        this.#frame('response.output_item.added', {
          ...at,
          item: { ...item, arguments: '', status: 'in_progress' },
        }) +
        this.#frame('response.function_call_arguments.delta', { ...within, delta: words }) +
        this.#frame('response.function_call_arguments.done', { ...within, name, arguments: words }) +
        this.#frame('response.output_item.done', { ...at, item })
      )
    })
    return frames.join('')
  }

  #itemId = (type: Open['type']) => `${type === 'message' ? 'msg' : 'rs'}_${this.#response.tail}`

  /** Of the text that was just added, what the reader does not have. Its frame has the number of its end. */
  #unseen(text: string): string {
    const seen = this.#startingAfter
    if (seen === undefined) return text
    const run = this.#sequence - (this.#sequence % RUN)
    if (this.#sequence - run >= CLOSING) return text
    const length = this.#open?.text.length ?? 0
    this.#sequence = run + TEXT + length
    const missing = this.#sequence - Math.max(seen, this.#sequence - text.length)
    return missing <= 0 ? '' : text.slice(-missing)
  }

  #frame(type: string, fields: Fields): string {
    const number = this.#sequence++
    if (this.#startingAfter !== undefined && number <= this.#startingAfter) return ''
    return write({ type, sequence_number: number, ...fields })
  }
}

const write = (data: Fields & { readonly type: string }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
