import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { afterAll, afterEach } from 'vitest'
import { HTTP_STATUS } from '../src/http/http-status.ts'
import { type DescribedHeader, type DescribedResponse, describedApi } from './described-api.ts'

/** A response as it went over the wire. */
export interface JudgedResponse {
  readonly method: string
  /** With or without its query. */
  readonly path: string
  readonly status: number
  readonly headers: Headers | Readonly<Record<string, unknown>>
  /** Undefined: not looked at. */
  readonly body: string | undefined
  /** False: this server has no such route, whatever others have. Default: as the description says. */
  readonly isRouted?: boolean
  /** The schema of failures at this address, where it is a dialect's. Default: under `/v1` OpenAI's. */
  readonly dialect?: string | undefined
}

/** What has been held against the description in this file of tests. */
export const judged = { responses: 0, events: 0, operations: new Set<string>() }

/**
 * Throws, with everything that is wrong, where a response is not what `openapi.json` says: its status, its headers, its
 * type, its body, the events of its stream; fields that it does not name are wrong, too. Where the address has no
 * operation, only an error in one of the two shapes is right.
 */
export function checkResponse(response: JudgedResponse): void {
  const problems = problemsOf(response)
  if (problems.length === 0) return
  const { method, path, status } = response
  throw new Error(`${method} ${path} answered ${status} unlike openapi.json:\n  ${problems.join('\n  ')}`)
}

/** Holds every response of a server against the description; what differs fails the test. */
export function judgeResponses<Server extends FastifyInstance>(server: Server): Server {
  server.addHook('onRequest', (request, reply, done) => {
    watchStream(request, reply)
    done()
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? String(payload) : ''
    judge(request, { status: reply.statusCode, headers: reply.getHeaders(), body })
    done(null, payload)
  })
  return server
}

const failures: Error[] = []

const failOnFirst = () => {
  const [first] = failures.splice(0)
  if (first) throw first
}

afterEach(failOnFirst)
// Of streams that end with their test.
afterAll(failOnFirst)

type Reply = Pick<JudgedResponse, 'status' | 'headers' | 'body'>

function judge(request: FastifyRequest, reply: Reply): void {
  const { method, url, body, cloudEvents, routeOptions, is404 } = request
  // Whatever the address, there is nothing to describe.
  if (method === 'OPTIONS' && reply.status === 204) return
  // Routes that a test adds for itself have no description.
  if (reply.status < 400 && routeOptions.config.openapi === undefined) return
  try {
    const path = withoutQuery(url)
    const dialect = request.server.dialects.find((one) => one.covers(path))?.name
    checkResponse({ ...reply, method, path: url, isRouted: !is404, dialect })
    // CloudEvents have been read by then.
    if (reply.status < 400 && cloudEvents === undefined) checkRequest(method, url, body)
  } catch (error) {
    failures.push(error as Error)
  }
}

/** Replies that are written past Fastify: event streams. */
function watchStream(request: FastifyRequest, { raw }: FastifyReply): void {
  const { writeHead, write, end } = raw
  let reply: { status: number; headers: OutgoingHttpHeaders } | undefined
  let text = ''
  const keep = (chunk: unknown) => {
    if (typeof chunk === 'string') text += chunk
  }
  raw.writeHead = ((status: number, headers: OutgoingHttpHeaders) => {
    if (String(headers?.['content-type']).startsWith('text/event-stream')) reply = { status, headers }
    return writeHead.call(raw, status, headers)
  }) as typeof writeHead
  raw.write = ((chunk: string, ...rest: [BufferEncoding]) => {
    keep(chunk)
    return write.call(raw, chunk, ...rest)
  }) as typeof write
  raw.end = ((chunk: string, ...rest: [BufferEncoding]) => {
    // That of `inject` calls `write`.
    raw.write = write
    keep(chunk)
    return end.call(raw, chunk, ...rest)
  }) as typeof end
  raw.once('close', () => {
    if (reply !== undefined) judge(request, { ...reply, body: text.slice(0, text.lastIndexOf('\n\n') + 2) })
  })
}

function problemsOf(response: JudgedResponse): string[] {
  const { method, path, status, headers, body, isRouted = true } = response
  const { document, pathOf } = describedApi()
  const url = withoutQuery(path)
  const address = isRouted ? pathOf(url) : undefined
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  const operation = address === undefined ? undefined : document.paths[address]?.[verb]
  judged.responses++
  if (address === undefined || operation === undefined) return problemsOfStray({ ...response, path: url })
  judged.operations.add(`${method} ${address} ${status}`)
  const given = operation.responses[status]
  const shared = given?.$ref?.split('/').at(-1)
  const described = shared === undefined ? given : document.components.responses[shared]
  if (described === undefined)
    return [`the status is not among ${Object.keys(operation.responses).join(', ')}`]
  const missing = Object.entries(described.headers)
    .filter(([name, header]) => resolveHeader(header).required && !headerOf(headers, name))
    .map(([name]) => `the header ${name} is missing`)
  if (body === undefined || method === 'HEAD') return missing
  const pointer =
    shared === undefined
      ? ['paths', address, verb, 'responses', String(status)]
      : ['components', 'responses', shared]
  return [
    ...missing,
    ...problemsOfBody(described, pointer, { type: headerOf(headers, 'content-type'), body }),
  ]
}

/** Slashes as the router reads them. */
const withoutQuery = (url: string): string =>
  url
    .replace(/\?.*$/s, '')
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1')

function resolveHeader({ $ref, ...header }: DescribedHeader): DescribedHeader {
  if ($ref === undefined) return header
  return describedApi().document.components.headers[$ref.split('/').at(-1) ?? ''] ?? header
}

function problemsOfBody(
  { content }: DescribedResponse,
  pointer: readonly string[],
  { type, body }: { type: string; body: string },
): string[] {
  if (content === undefined) return body === '' ? [] : ['there is a body']
  const media = type.split(';', 1)[0]?.trim() ?? ''
  const described = content[media]
  if (described === undefined) return [`the type ${media} is not among ${Object.keys(content).join(', ')}`]
  const at = [...pointer, 'content', media]
  if (media === 'text/event-stream') return problemsOfStream(at, described['x-events'] ?? {}, body)
  return describedApi().problems('response', [...at, 'schema'], media.endsWith('json') ? parse(body) : body)
}

function problemsOfStream(at: readonly string[], events: object, body: string): string[] {
  return body.split('\n\n').flatMap((block) => {
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (data === undefined) return []
    const name = /^event: (.*)$/m.exec(block)?.[1] ?? 'message'
    judged.events++
    if (!Object.hasOwn(events, name)) return [`there is an event ${name}`]
    return describedApi()
      .problems('response', [...at, 'x-events', name], parse(data))
      .map((problem) => `${name}: ${problem}`)
  })
}

/** No route, or not by this method, or refused before that was known. */
function problemsOfStray({ path, status, body, dialect }: JudgedResponse): string[] {
  if (status < 400) return ['there is no such operation; say what the route is, and run `pnpm openapi`']
  if (body === undefined || body === '') return []
  const schema = dialect ?? (/^\/v1(\/|$)/.test(path) ? 'OpenAiError' : 'Failure')
  const value = parse(body)
  const problems = describedApi().problems('response', ['components', 'schemas', schema], value)
  if (schema !== 'Failure' || problems.length > 0) return problems
  const expected = HTTP_STATUS[(value as { error: keyof typeof HTTP_STATUS }).error]
  return expected === status ? [] : [`the status of this code is ${expected}`]
}

/** A request that was answered well is one that the description allows. */
function checkRequest(method: string, url: string, body: unknown): void {
  const { document, pathOf, problems } = describedApi()
  const address = pathOf(withoutQuery(url))
  const verb = method.toLowerCase()
  if (address === undefined || body === undefined || !document.paths[address]?.[verb]?.requestBody) return
  const pointer = ['paths', address, verb, 'requestBody', 'content', 'application/json', 'schema']
  // Long numbers are numbers for whoever reads the body by its description.
  const found = problems('request', pointer, JSON.parse(JSON.stringify(body)))
  if (found.length > 0) {
    throw new Error(`${method} ${url} took a body unlike openapi.json:\n  ${found.join('\n  ')}`)
  }
}

/** What is no JSON (`[DONE]`) is itself. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const headerOf = (headers: JudgedResponse['headers'], name: string): string =>
  String((headers instanceof Headers ? headers.get(name) : headers[name.toLowerCase()]) ?? '')
