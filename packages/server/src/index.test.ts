import { expect, test } from 'vitest'
import * as face from './index.ts'

test('exports what the docs explain, and nothing else', () => {
  expect(Object.keys(face).sort()).toEqual([
    'HTTP_STATUS',
    'OPENAI_DIALECT',
    'RequestProblem',
    'answerInStream',
    'answerWhole',
    'createMetrics',
    'createRateLimiter',
    'createServer',
    'eventOptionsOf',
    'eventRoutes',
    'isGone',
    'namesIn',
    'openAiErrorBody',
    'openAiErrorReply',
    'openAiFailure',
    'openEventStream',
    'parseJsonBody',
    'readOpenAiRequest',
    'replyToFailure',
    'replyToOutcome',
    'sendReply',
    'shouldRetryAfter',
    'wasteReason',
    'wastedMs',
  ])
})
