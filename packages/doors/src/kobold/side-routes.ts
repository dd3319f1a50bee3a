import { RequestProblem, sendReply } from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { callerIn } from './caller.ts'
import { type Genkeys, genkeyIn } from './genkeys.ts'
import { VERSIONS } from './info-routes.ts'
import { koboldDialect } from './kobold-dialect.ts'
import type { SIDE_OPERATIONS } from './kobold-operations.ts'
import type { PerfBook } from './perf-book.ts'

/** What clients ask beside a generation. None of it waits behind one. */
export function addSideRoutes(
  scope: FastifyInstance,
  { genkeys, perf }: { readonly genkeys: Genkeys; readonly perf: PerfBook },
): void {
  const { dispatcher } = scope.desk
  scope.post('/api/extra/abort', how('abortKobold'), (request) => {
    const isFound = String(genkeys.abort(callerIn(request), genkeyIn(request.body)))
    return { success: isFound, done: isFound }
  })
  const check = (request: FastifyRequest) => {
    const genkey = genkeyIn(request.body)
    return { results: [{ text: genkey === undefined ? '' : genkeys.textOf(callerIn(request), genkey) }] }
  }
  scope.get('/api/extra/generate/check', how('getKoboldCheck'), check)
  scope.post('/api/extra/generate/check', how('postKoboldCheck'), check)
  scope.get('/api/extra/perf', how('getKoboldPerf'), (request) =>
    perf.report(dispatcher, { isBusy: genkeys.isBusy(callerIn(request)), count: genkeys.count }),
  )
  scope.get('/api/extra/last_logprobs', how('getKoboldLogprobs'), () => ({ logprobs: null }))
  scope.post('/api/extra/last_logprobs', how('postKoboldLogprobs'), () => ({ logprobs: null }))
  for (const version of VERSIONS) {
    const name = version === 'v1' ? 'putKoboldSoftPrompt' : 'putKoboldSoftPromptLatest'
    scope.put(`/api/${version}/config/soft_prompt`, how(name), () => ({}))
  }
  addCountRoutes(scope)
}

const how = (name: keyof typeof SIDE_OPERATIONS) => ({
  config: {
    scopes: ['events'] as const,
    openapi: async () => (await import('./kobold-operations.ts')).SIDE_OPERATIONS[name],
  },
})

/** What KoboldCPP answers with status 400 to a body that it cannot read. */
const UNREADABLE = { value: -1 }

function addCountRoutes(scope: FastifyInstance): void {
  const { dispatcher } = scope.desk
  for (const path of ['tokencount', 'tokenize'] as const) {
    const route = {
      ...how(path === 'tokencount' ? 'countKoboldTokens' : 'tokenizeKobold'),
      errorHandler(error: unknown, _request: FastifyRequest, reply: Parameters<typeof sendReply>[0]) {
        if (!(error instanceof RequestProblem) || error.failure.code !== 'invalid_request') throw error
        return reply.code(400).send(UNREADABLE)
      },
    }
    scope.post(`/api/extra/${path}`, route, async (request, reply) => {
      const asked = readCount(request.body ?? {})
      if (asked === undefined) return reply.code(400).send(UNREADABLE)
      if (asked.text?.trim() === '') return { value: blankTokens(asked.text), ids: [], prompt: asked.text }
      const counted = await dispatcher.countTokens(
        { content: asked.content },
        { continues: true, takesAnyTurn: true },
      )
      if (counted.error !== undefined) {
        const failure = { code: counted.error, details: counted.details }
        return sendReply(reply, koboldDialect.reply(failure, request.id))
      }
      const echo = asked.text === undefined ? {} : { prompt: asked.text }
      return { value: counted.tokens, ids: counted.ids ?? [], ...echo }
    })
  }
}

/** The desk asks nobody about a text of white space alone. */
const blankTokens = (text: string): number => Math.ceil(text.length / 4)

interface AskedCount {
  readonly content: object
  readonly text?: string
}

function readCount(body: unknown): AskedCount | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const { messages, prompt = '' } = body as { messages?: unknown; prompt?: unknown }
  if (Array.isArray(messages) && messages.length > 0) return { content: { messages } }
  return typeof prompt === 'string' ? { content: { prompt }, text: prompt } : undefined
}
