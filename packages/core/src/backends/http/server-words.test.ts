import { expect, test } from 'vitest'
import { reasonInWords, SERVER_WORDS } from './server-words.ts'

const examples = SERVER_WORDS.flatMap(({ reason, examples }) =>
  examples.map(([server, status, message]) => ({ reason, server, status, message })),
)

test.each(examples)('$server, $status: $message is $reason', ({ reason, status, message }) => {
  expect(reasonInWords(message, status)).toBe(reason)
})

test.each([
  [500, 'the context length of my code'],
  [500, 'Internal Server Error'],
  [400, 'Too many stop sequences: 12'],
  [400, 'max_tokens is too large: 10000. This model supports at most 4096 completion tokens'],
  [400, 'temperature must be <= 2'],
  [400, 'The image is larger than 20 MB'],
  [503, 'Chat completion 3f aborted. Maybe the model was unloaded? Please check the server console.'],
  [503, 'Text completion 3f aborted. Maybe the model was unloaded? Please try again.'],
  [500, 'time limit exceeded while processing prompt'],
  [500, 'Prompt processing exceeded the memory budget'],
  [500, 'Exceeded the maximum number of retries for this prompt'],
  [400, 'Failed to load model "x". Error: Operation canceled.'],
  [400, 'Model loading was stopped due to insufficient system resources.'],
  [500, 'Error loading model: out of memory'],
  [500, 'error loading model'],
  [400, 'The model is loaded with 8 layers'],
  [400, '"the model is loading" is no value of `user`'],
  [402, 'Token quota exceeded'],
  [400, 'Your daily token limit is exceeded'],
  [400, 'The grammar is too large: it exceeds 5000 tokens'],
  [400, '"stop" exceeds the maximum number of sequences of a prompt'],
  [400, '`max_tokens`: 9000 exceeds the limit of 4096 tokens'],
  [400, 'invalid model input'],
  [503, 'upstream connect error or disconnect/reset before headers'],
  [429, 'Request too large on tokens per min (TPM): Limit 10000, Requested 12000'],
])('%s: %s says nothing that we know', (status, message) => {
  expect(reasonInWords(message, status)).toBeUndefined()
})
