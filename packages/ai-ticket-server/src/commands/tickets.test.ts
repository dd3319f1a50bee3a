import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { saysYes } from './tickets.ts'

test.each([
  ['y\n', true],
  [' Yes \n', true],
  ['\n', false],
  ['n\n', false],
  ['yes please\n', false],
  // The end of the input.
  ['', false],
])('%j to a question is %j', async (typed, expected) => {
  const [input, output] = [new PassThrough(), new PassThrough({ encoding: 'utf8' })]
  const answer = saysYes('Remove them? [y/N] ', { input, output })
  input.end(typed)
  expect(await answer).toBe(expected)
  expect(output.read()).toContain('Remove them? [y/N] ')
})
