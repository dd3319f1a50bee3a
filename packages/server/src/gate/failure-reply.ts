import type { Failure } from '@ai-ticket/core'
import { type HttpReply, replyToFailure } from '../http/reply.ts'
import { errorReply } from '../openai/error-reply.ts'
import { pathOf } from './open-paths.ts'

/** Under `/v1` callers are OpenAI's clients. */
export const isOpenAiPath = (url: string): boolean => /^\/v1(?:\/|$)/.test(pathOf(url))

/** What fails at the edge, in the words of the address. */
export const failureReply = (url: string, failure: Failure): HttpReply =>
  isOpenAiPath(url) ? errorReply(failure) : replyToFailure(failure)
