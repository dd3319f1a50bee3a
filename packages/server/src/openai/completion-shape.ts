import type { SuccessOutcome } from '@ai-ticket/core'

/** Text of a stream, as it came. */
export interface Piece {
  readonly text: string
  readonly reasoning?: string | undefined
}

/** How chats and completions differ, once they are answered. */
export interface CompletionShape {
  readonly idPrefix: string
  readonly object: string
  readonly chunkObject: string
  /** The choice of a whole answer. */
  choice(outcome: SuccessOutcome): object
  /** The choice of a stream's first chunk, where there is one before any text. */
  readonly opening: object | undefined
  /** Undefined: nothing that this shape has a place for. */
  delta(piece: Piece): object | undefined
  /** The choices after the last text: what only comes whole, then the finish reason. */
  ending(outcome: SuccessOutcome): readonly object[]
}
