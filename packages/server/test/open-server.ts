import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { ServerOptions } from '../src/options.ts'
import { createServer } from './judged-server.ts'
import { checkResponse } from './openapi-judge.ts'

export interface OpenServer extends AsyncDisposable {
  readonly server: FastifyInstance
  readonly port: number
  readonly url: string
}

/** A server on a free loopback port, closed at the end of the test, whatever is still open. */
export async function openServer(
  options: ServerOptions,
  extend: (server: FastifyInstance) => void = () => {},
): Promise<OpenServer> {
  const server = createServer(options)
  extend(server)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    server,
    url,
    port: Number(new URL(url).port),
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
    },
  }
}

/** Sends bytes as they are and collects what comes back until the server closes the connection. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = await openSocket(port)
  const received = readAll(socket)
  socket.write(bytes)
  return received
}

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

/** The text of a body, and whether the connection broke in the middle of it, as it does behind a failure in a stream. */
export async function readToBreak({ body }: Response): Promise<{ text: string; isBroken: boolean }> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of body ?? []) text += decoder.decode(chunk, { stream: true })
    return { text, isBroken: false }
  } catch {
    return { text, isBroken: true }
  }
}

/** Resolves when the text has come. */
export function readUntil(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = ''
    const onData = (chunk: Buffer) => {
      seen += chunk
      if (!seen.includes(text)) return
      socket.off('data', onData)
      resolve(seen)
    }
    socket.on('data', onData).once('close', () => reject(new Error(`closed before ${text}: ${seen}`)))
  })
}

/** An answer off the wire, taken apart, and held against the description: an error, in the desk's own words. */
export function parseRaw(answer: string): { status: number; headers: Headers; body: unknown } {
  const end = answer.indexOf('\r\n\r\n')
  const [start = '', ...lines] = answer.slice(0, end).split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/, 2) as [string, string]))
  const [status, body] = [Number(start.split(' ')[1]), answer.slice(end + 4)]
  checkResponse({ method: '', path: '', status, headers, body, isRouted: false })
  return { status, headers, body: JSON.parse(body) }
}

export const postEvent = (event: unknown, headers: Record<string, string> = {}): string => {
  const body = JSON.stringify(event)
  const lines = {
    host: '127.0.0.1',
    'content-type': 'application/json',
    'content-length': String(body.length),
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /event HTTP/1.1\r\n${head.join('')}\r\n${body}`
}
