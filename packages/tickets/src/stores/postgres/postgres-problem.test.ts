import { expect, it } from 'vitest'
import { isConflict, postgresProblem } from './postgres-problem.ts'

const coded = (code: string, message = 'words of PostgreSQL') => Object.assign(new Error(message), { code })

it.each([
  ['53100', 'full'],
  ['25006', 'read_only'],
  ['XX001', 'broken'],
  ['57P03', 'unreachable'],
  ['53300', 'unreachable'],
  ['28P01', 'unreachable'],
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

it('gives a bug of ours back as it is', () => {
  const bug = coded('42601', 'syntax error')
  expect(postgresProblem(bug)).toBe(bug)
})

it('knows transactions that stood in each other’s way', () => {
  expect([coded('40P01'), coded('40001'), coded('23505')].map(isConflict)).toEqual([true, true, false])
})
