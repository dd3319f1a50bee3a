import type { FastifyInstance } from 'fastify'
import { parseJsonBody } from './json-body.ts'
import { RequestProblem } from './request-problem.ts'

const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i

export const isJsonType = (contentType: string): boolean => JSON_TYPE.test(contentType)

/**
 * Bodies are JSON (`application/json` or `application/…+json`) or are refused with `unsupported_media_type`. A browser
 * asks permission before it sends that type to a foreign site, so a page elsewhere cannot post events.
 */
export function acceptOnlyJson(instance: FastifyInstance): void {
  instance.removeAllContentTypeParsers()
  instance.addContentTypeParser<Buffer>(JSON_TYPE, { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      refuseEncodedBody(request.headers['content-encoding'])
      done(null, parseJsonBody(bytes))
    } catch (error) {
      done(error as Error)
    }
  })
}

export function refuseEncodedBody(encoding: string | undefined): void {
  if (encoding === undefined || encoding === 'identity') return
  throw new RequestProblem({
    code: 'unsupported_media_type',
    details: 'Compressed bodies are not taken. Send it without Content-Encoding.',
  })
}
