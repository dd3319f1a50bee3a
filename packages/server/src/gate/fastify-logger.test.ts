import type { LogFields, Logger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { FastifyLogger } from './request-log.ts'

function listLogger() {
  const lines: [keyof Logger, string, LogFields | undefined][] = []
  const method = (level: keyof Logger) => (message: string, fields?: LogFields) => {
    lines.push([level, message, fields])
  }
  const logger: Logger = {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  }
  return { lines, logger }
}

test('reads the arguments in the order of pino', () => {
  const { lines, logger } = listLogger()
  const log = new FastifyLogger(logger, { request_id: 'r1' })
  const error = new Error('broken')
  log.info('plain')
  log.warn('%s of %d', 'one', 2)
  log.debug({ a: 1 }, 'with %j', { b: 2 })
  log.error(error)
  log.fatal({ err: error }, 'fatal')
  log.trace({ only: 'fields' })
  log.silent()
  expect(lines).toEqual([
    ['info', 'plain', { request_id: 'r1' }],
    ['warn', 'one of 2', { request_id: 'r1' }],
    ['debug', 'with {"b":2}', { request_id: 'r1', a: 1 }],
    ['error', 'broken', { request_id: 'r1', err: error }],
    ['error', 'fatal', { request_id: 'r1', err: error }],
    ['debug', '', { request_id: 'r1', only: 'fields' }],
  ])
})

test('a child keeps bindings and serializers, so that no header is printed', () => {
  const { lines, logger } = listLogger()
  const request = { method: 'POST', headers: { authorization: 'Bearer secret' } }
  const serializers = { req: ({ method }: typeof request) => ({ method }) }
  new FastifyLogger(logger)
    .child({}, { serializers })
    .child({ request_id: 'r1' })
    .info({ req: request }, 'in')
  expect(lines).toEqual([['info', 'in', { request_id: 'r1', req: { method: 'POST' } }]])
})
