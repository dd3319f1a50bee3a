import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Transform } from 'node:stream'

export interface ProxyOptions {
  /** Of the server behind it. */
  readonly port: number
  /** The path in front is the proxy's own, and the server behind never sees it; others are 404. Default: none. */
  readonly below?: string
  /** Makes something else of every JSON that the API answers, also of each in a stream. Default: it stays. */
  readonly change?: (value: unknown, path: string) => unknown
}

export interface Proxy extends AsyncDisposable {
  readonly port: number
  readonly leadTo: (port: number) => void
}

/** Stands before a server on this machine. */
export async function startProxy({ port, below = '', change }: ProxyOptions): Promise<Proxy> {
  let behind = port
  const server = createServer((incoming, outgoing) => {
    const address = incoming.url ?? ''
    if (!address.startsWith(`${below}/`)) return outgoing.writeHead(404).end()
    const path = address.slice(below.length)
    // What is compressed cannot be changed.
    const plain = change && { 'accept-encoding': 'identity' }
    const headers = { ...incoming.headers, host: `127.0.0.1:${behind}`, ...plain }
    const forwarded = request({ port: behind, path, method: incoming.method, headers }, (reply) => {
      const { 'content-length': _length, ...others } = reply.headers
      const changed = change && changedBody(reply, (value) => change(value, path))
      outgoing.writeHead(reply.statusCode ?? 502, changed ? others : reply.headers)
      // The head of a stream that has nothing to tell yet.
      outgoing.flushHeaders()
      ;(changed ?? reply).pipe(outgoing)
      outgoing.once('close', () => reply.destroy())
    })
    forwarded.on('error', () => outgoing.destroy())
    return incoming.pipe(forwarded)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (to) => {
      behind = to
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

function changedBody(reply: IncomingMessage, change: (value: unknown) => unknown): Transform | undefined {
  const type = reply.headers['content-type'] ?? ''
  const isStream = type.startsWith('text/event-stream')
  if (!isStream && !type.startsWith('application/json')) return undefined
  const written = (json: string) => JSON.stringify(change(JSON.parse(json)))
  const line = (text: string) => (text.startsWith('data: ') ? `data: ${written(text.slice(6))}` : text)
  let rest = ''
  return reply.setEncoding('utf8').pipe(
    new Transform({
      decodeStrings: false,
      transform(chunk, _encoding, done) {
        const lines = isStream ? (rest + String(chunk)).split('\n') : []
        rest = isStream ? (lines.pop() ?? '') : rest + String(chunk)
        done(null, lines.map((one) => `${line(one)}\n`).join(''))
      },
      flush(done) {
        done(null, isStream || rest === '' ? rest : written(rest))
      },
    }),
  )
}
