import { parseJsonBody, RequestProblem } from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/**
 * KoboldCPP does not look at the type of a body, and its clients send any. A page elsewhere can send a form without asking,
 * so a request without a key has to say JSON. An empty body is `{}`.
 */
export function acceptAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      if (bytes.length === 0) return done(null, {})
      if (!isJson(request) && !showsKey(request)) throw NOT_JSON
      if (request.headers['content-encoding'] !== undefined) throw ENCODED
      done(null, parseJsonBody(bytes))
    } catch (error) {
      done(error as Error)
    }
  })
}

const isJson = ({ headers }: FastifyRequest): boolean =>
  /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i.test(headers['content-type'] ?? '')

const showsKey = ({ headers }: FastifyRequest): boolean =>
  headers.authorization !== undefined || headers['x-api-key'] !== undefined

const NOT_JSON = new RequestProblem({
  code: 'unsupported_media_type',
  details: 'Send the body as JSON, with `Content-Type: application/json`, or show an API key.',
})

const ENCODED = new RequestProblem({
  code: 'unsupported_media_type',
  details: 'Compressed bodies are not supported. Send it without Content-Encoding.',
})
