import type { Failure } from '@ai-ticket/core'
import { pathOf } from './open-paths.ts'
import { errorReply } from './openai/error-reply.ts'
import { type HttpReply, replyToFailure } from './reply.ts'

/** What fails at the edge, in the words of the address: under `/v1` callers are OpenAI's clients. */
export const failureReply = (url: string, failure: Failure): HttpReply =>
  /^\/v1(?:\/|$)/.test(pathOf(url)) ? errorReply(failure) : replyToFailure(failure)
