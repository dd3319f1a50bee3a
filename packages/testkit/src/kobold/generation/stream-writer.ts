import type { ReplySink } from '../../wire/reply-sink.ts'
import type { Timers } from '../../wire/simulated-tokens.ts'
import { doneMark, type ReplyIdentity, textEvents, toolCallEvents, usageEvent } from './generation-replies.ts'
import type { GenerationPlan } from './plan-generation.ts'

/** Writes one generation as events, the first of them not before `overheadMs`. */
export interface StreamWriter {
  open(contentType: string): void
  text(piece: string): void
  /** The last event and the end mark; `onWritten` when they are out. */
  finish(plan: GenerationPlan, onWritten: () => void): void
  /** Runs when all text so far is written; for what comes after the text. */
  afterText(action: () => void): void
}

interface StreamWriterOptions {
  readonly sink: ReplySink
  readonly identity: ReplyIdentity
  readonly includeUsage: boolean
  readonly overheadMs: number
  readonly timers: Timers
}

export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const { sink, identity, timers } = options
  let held = ''
  let late: (() => void)[] | undefined = options.overheadMs > 0 ? [] : undefined

  const write = (events: readonly string[]) => {
    for (const event of events) sink.write(event)
  }
  const flush = () => {
    if (held !== '') write(textEvents(identity, held, null))
    held = ''
  }
  const afterText = (action: () => void) => {
    if (late !== undefined) late.push(action)
    else action()
  }
  return {
    open(contentType) {
      sink.startStream(contentType)
      if (late === undefined) return
      timers.later(options.overheadMs, () => {
        const actions = late ?? []
        late = undefined
        // 1.76 puts the last text and the finish reason into one event, so what is held has to wait.
        if (identity.version !== '1.76') flush()
        for (const action of actions) action()
      })
    },
    text(piece) {
      // 1.76 must not send its last piece before it knows that it is the last.
      if (identity.version === '1.76' && late === undefined) flush()
      held += piece
      if (identity.version !== '1.76' && late === undefined) flush()
    },
    finish(plan, onWritten) {
      afterText(() => {
        if (plan.toolCalls !== undefined) {
          held = ''
          write(toolCallEvents(identity, plan.toolCalls))
        }
        if (identity.version !== '1.76') flush()
        write(textEvents(identity, held, plan.finishReason))
        held = ''
        if (options.includeUsage) sink.write(usageEvent(identity, plan))
        const mark = doneMark(identity)
        if (mark !== '') sink.write(mark)
        sink.end()
        onWritten()
      })
    },
    afterText(action) {
      afterText(() => {
        flush()
        action()
      })
    },
  }
}
