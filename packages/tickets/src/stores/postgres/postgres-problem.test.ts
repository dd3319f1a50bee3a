import { expect, it } from 'vitest'
import { connectionProblem, isConflict, postgresProblem } from './postgres-problem.ts'

const coded = (code: string, message = 'words of PostgreSQL') => Object.assign(new Error(message), { code })

it.each([
  ['53100', 'full'],
  ['25006', 'read_only'],
  ['XX001', 'broken'],
  ['57P03', 'unreachable'],
  ['53300', 'unreachable'],
  ['28P01', 'unreachable'],
  ['25P03', 'unreachable'],
  ['58030', 'unreachable'],
  ['XX000', 'unreachable'],
  ['ECONNREFUSED', 'unreachable'],
])('tells that %s means %s', (code, problem) => {
  expect(postgresProblem(coded(code))).toMatchObject({ code: 'store_unavailable', problem })
})

it('knows a connection that ended by its words, and several addresses by their first error', () => {
  expect(postgresProblem(new Error('Connection terminated unexpectedly'))).toMatchObject({
    problem: 'unreachable',
  })
  expect(postgresProblem(new AggregateError([coded('ECONNREFUSED')]))).toMatchObject({
    problem: 'unreachable',
  })
})

it.each([
  [
    new Error('The server does not support SSL connections'),
    /: The server does not support SSL connections\. Correct/,
  ],
  [coded('0A000', 'feature not supported.'), /: feature not supported\. Correct AI_TICKET_DATABASE_URL/],
  [coded('08P01', 'unsupported startup parameter: options'), /pooler/],
  [coded('ECONNREFUSED'), /cannot be reached \(ECONNREFUSED\)/],
])('is not at fault where no connection comes about: %s', (error, message) => {
  expect(connectionProblem(error)).toMatchObject({
    problem: 'unreachable',
    message: expect.stringMatching(message),
  })
})

it('gives a bug of ours back as it is', () => {
  const bug = coded('42601', 'syntax error')
  expect(postgresProblem(bug)).toBe(bug)
})

it('knows transactions that stood in each other’s way', () => {
  expect([coded('40P01'), coded('40001'), coded('23505')].map(isConflict)).toEqual([true, true, false])
})
