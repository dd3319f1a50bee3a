import { expect, test } from 'vitest'
import * as face from './index.ts'

test('exports what the docs explain, and nothing else', () => {
  expect(Object.keys(face).sort()).toEqual([
    'HTTP_STATUS',
    'RequestProblem',
    'createMetrics',
    'createRateLimiter',
    'createServer',
    'eventRoutes',
    'openEventStream',
    'parseJsonBody',
    'readOpenAiRequest',
    'replyToFailure',
    'replyToOutcome',
  ])
})
