import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { OPENAI_DIALECT } from '../openai/error-reply.ts'

/** Longer than any query of ours needs; Node itself takes addresses up to the limit of all headers, 16 KiB. */
const MAX_URL_LENGTH = 8 * 1_024

const TOO_LONG = new RequestProblem({
  code: 'header_too_large',
  details: 'The address is longer than 8 KiB. Put less into the query.',
})

/** Answered for anybody, even while the server drains: probes have no key. `/health` keeps its detail to itself. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz'])

export function installUrlLimit(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    done((request.raw.url ?? '').length > MAX_URL_LENGTH ? TOO_LONG : undefined)
  })
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i

/**
 * The address of a request without a host. Proxies may ask with the whole address; then that names the host, whatever the
 * header says (RFC 9112, 3.2.2), and is put in its place. So keys, limits and the check of the host meet one form only.
 */
export function toOriginForm(request: Pick<IncomingMessage, 'url' | 'headers'>): string {
  const { url = '/' } = request
  if (url.startsWith('/')) return url
  const [, host, path = ''] = ABSOLUTE.exec(url) ?? []
  if (host === undefined) return url
  request.headers.host = host
  return path.startsWith('/') ? path : `/${path}`
}

/** The address without its query, and with slashes as the router reads them: for sets and logs. */
export function pathOf(url: string): string {
  const end = url.indexOf('?')
  const path = (end === -1 ? url : url.slice(0, end)).replace(/\/{2,}/g, '/')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

export const isOpenPath = (url: string): boolean => OPEN_PATHS.has(pathOf(url))

/** Under `/v1` callers are OpenAI's clients. */
export const isOpenAiPath = (url: string): boolean => OPENAI_DIALECT.covers(pathOf(url))
