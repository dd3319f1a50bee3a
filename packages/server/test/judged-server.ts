import type { FastifyInstance } from 'fastify'
import { createServer as createUnjudgedServer } from '../src/create-server.ts'
import type { ServerOptions } from '../src/options.ts'
import { judgeResponses } from './openapi-judge.ts'

/** `createServer`, with every response held against its description. */
export const createServer = (options: ServerOptions): FastifyInstance =>
  judgeResponses(createUnjudgedServer(options))
