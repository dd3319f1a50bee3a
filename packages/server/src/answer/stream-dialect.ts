import type { Failure, FailureOutcome, StreamEvent } from '@ai-ticket/core'
import type { HttpReply } from '../http/reply.ts'

/** How one kind of caller reads a stream. Made anew for each stream, so it may remember what it has said. */
export interface StreamDialect {
  /** The bytes of an event. Undefined: nothing yet, not even the head. Empty: no more than the head. */
  frame(event: StreamEvent): string | undefined
  /** The last frame of a stream that nobody else ended. */
  failureFrame(failure: Failure): string
  /** The whole reply where an event ends in failure before the head was sent. */
  refusal(outcome: FailureOutcome): HttpReply
}
