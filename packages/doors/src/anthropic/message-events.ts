import type { Failure, FailureOutcome, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import type { HttpReply, StreamDialect } from '@ai-ticket/http-server'
import { errorBody, errorReply, messageFailure } from './error-reply.ts'
import { callsOf, endOf, type MessageContext, messageId, usageOf } from './message-body.ts'

/** Anthropic's clients drop an event without its name. */
const write = (type: string, fields: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

/** Blocks whose text comes in pieces. */
const BLOCKS = {
  text: {
    empty: { type: 'text', text: '' },
    delta: (text: string) => ({ type: 'text_delta', text }),
  },
  thinking: {
    empty: { type: 'thinking', thinking: '', signature: '' },
    delta: (thinking: string) => ({ type: 'thinking_delta', thinking }),
  },
} as const

type Kind = keyof typeof BLOCKS

interface StreamContext extends MessageContext {
  readonly requestId: string
}

/**
 * A stream of Anthropic's dialect: `message_start`, blocks one after the other, `message_delta` with the reason and the
 * usage, `message_stop`. The head waits for the first text, for a while, so that an error before it has its status. The
 * model is the one that was asked for: which one answers is known only at the end.
 */
export class MessageEvents implements StreamDialect {
  readonly breaksOff = true
  readonly #context: StreamContext
  #id = ''
  #isOpen = false
  #blocks = 0
  #kind: Kind | undefined
  readonly #sent = new Set<Kind>()

  constructor(context: StreamContext) {
    this.#context = context
  }

  frame(event: StreamEvent): string | undefined {
    switch (event.type) {
      case 'admitted':
        this.#id = messageId(event.id)
        return undefined
      case 'delta': {
        const pieces = this.#piece('thinking', event.reasoning) + this.#piece('text', event.text)
        return pieces === '' ? undefined : pieces
      }
      case 'partial':
        // What is not checked yet may be taken back; in this dialect nothing can be.
        return undefined
      case 'done':
        return this.#unsent(event.outcome) + this.#end(event.outcome)
      case 'error':
        return this.failureFrame(messageFailure(event.outcome))
    }
  }

  keepAlive(): string {
    return write('ping')
  }

  opening(): string {
    if (this.#isOpen) return ''
    this.#isOpen = true
    const { model = 'default' } = this.#context
    const unknown = { stop_reason: null, stop_sequence: null, usage: usageOf(null) }
    const message = { id: this.#id, type: 'message', role: 'assistant', model, content: [], ...unknown }
    return write('message_start', { message })
  }

  failureFrame(failure: Failure): string {
    return write('error', errorBody(failure, this.#context.requestId))
  }

  refusal(outcome: FailureOutcome): HttpReply {
    return errorReply(messageFailure(outcome), this.#context.requestId)
  }

  #piece(kind: Kind, text = ''): string {
    if (text === '' || (kind === 'thinking' && !this.#context.showsThinking)) return ''
    return this.#enter(kind) + this.#delta(BLOCKS[kind].delta(text))
  }

  #enter(kind: Kind): string {
    if (this.#kind === kind) return ''
    const before = this.opening() + this.#leave()
    this.#kind = kind
    this.#sent.add(kind)
    return before + this.#start(BLOCKS[kind].empty)
  }

  #leave(): string {
    if (this.#kind === undefined) return ''
    this.#kind = undefined
    return this.#stop()
  }

  #start(content_block: object): string {
    return write('content_block_start', { index: this.#blocks, content_block })
  }

  #delta(delta: object): string {
    return write('content_block_delta', { index: this.#blocks, delta })
  }

  #stop(): string {
    const frame = write('content_block_stop', { index: this.#blocks })
    this.#blocks += 1
    return frame
  }

  /** A backend may answer in one piece, without any delta. An answer without text and calls is an empty text. */
  #unsent(outcome: SuccessOutcome): string {
    const thinking = this.#sent.has('thinking') ? '' : this.#piece('thinking', outcome.reasoning)
    if (this.#sent.has('text')) return thinking
    const isEmpty = outcome.completion === '' && callsOf(outcome).length === 0
    return thinking + (isEmpty ? this.#enter('text') : this.#piece('text', outcome.completion))
  }

  #end(outcome: SuccessOutcome): string {
    const before = this.opening() + this.#leave()
    const calls = callsOf(outcome).map(
      ({ id, name, json }) =>
        this.#start({ type: 'tool_use', id, name, input: {} }) +
        this.#delta({ type: 'input_json_delta', partial_json: json }) +
        this.#stop(),
    )
    const delta = write('message_delta', { delta: endOf(outcome), usage: usageOf(outcome.usage) })
    return `${before}${calls.join('')}${delta}${write('message_stop')}`
  }
}
