// A program: a backend that answers at once, with what a KoboldCPP 1.115.1 was recorded to say. It is as small as it
// can be, for it shares the processors with what is measured; the simulator does the real work of a KoboldCPP and
// needs three times as much. `node instant-backend.ts <port> keep-alive|close`
import { createServer, type Socket } from 'node:net'
import { loadExchange } from '@ai-ticket/testkit'

const [, , port = '', mode = ''] = process.argv
/** No real KoboldCPP keeps a connection. */
const keepsAlive = mode === 'keep-alive'
const PROTOCOL = keepsAlive ? 'HTTP/1.1' : 'HTTP/1.0'
const REQUEST_END = '\r\n\r\n'
/** Between the tokens of a stream. */
const TOKEN_MS = 2

const PLAIN = replyOf(loadExchange('1.115.1', 'chat-normal').response.body ?? '')
const STREAM = loadExchange('1.115.1', 'chat-stream')
const EVENTS = tokenEvents(STREAM.response.chunks?.map(({ text }) => text).join('') ?? '')
const STREAM_HEAD =
  `${PROTOCOL} 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n` +
  `${keepsAlive ? 'transfer-encoding: chunked\r\n' : ''}\r\n`

const GET_REPLIES: Readonly<Record<string, string>> = {
  '/api/extra/version': replyOf(
    '{"result": "KoboldCpp", "version": "1.115.1", "protected": false, "llm": true}',
  ),
  '/api/v1/model': replyOf('{"result": "koboldcpp/stories260K"}'),
  '/v1/models': replyOf('{"object": "list", "data": [{"id": "koboldcpp/stories260K", "object": "model"}]}'),
  '/api/extra/true_max_context_length': replyOf('{"value": 4096}'),
  '/api/extra/perf': replyOf('{"idle": 1, "queue": 0, "last_process": 0, "last_eval": 0}'),
}
const NOT_FOUND = `${PROTOCOL} 404 Not Found\r\ncontent-length: 0\r\n${REQUEST_END.slice(2)}`

createServer({ noDelay: true }, (socket) => {
  let received = ''
  socket.setEncoding('latin1')
  socket.on('error', () => {}) // A client that is ended cuts its connections.
  socket.on('data', (text: string) => {
    received += text
    for (;;) {
      const headEnd = received.indexOf(REQUEST_END)
      if (headEnd < 0) return
      const length = /^content-length: *(\d+)/im.exec(received.slice(0, headEnd))?.[1] ?? '0'
      const end = headEnd + REQUEST_END.length + Number(length)
      if (received.length < end) return
      const request = received.slice(0, end)
      received = received.slice(end)
      answer(socket, request)
    }
  })
}).listen(Number(port), '127.0.0.1')

function answer(socket: Socket, request: string): void {
  if (request.startsWith('GET ')) send(socket, GET_REPLIES[request.split(' ', 2)[1] ?? ''] ?? NOT_FOUND)
  else if (/"stream": ?true/.test(request)) streamTokens(socket)
  else send(socket, PLAIN)
}

function send(socket: Socket, text: string): void {
  if (keepsAlive) socket.write(text)
  else socket.end(text)
}

/** The first token at once, the others one by one. */
function streamTokens(socket: Socket): void {
  const [first = '', ...others] = EVENTS
  socket.write(STREAM_HEAD + chunk(first))
  let sent = 0
  const timer = setInterval(() => {
    const next = others[sent++]
    if (next !== undefined) return socket.write(chunk(next))
    clearInterval(timer)
    send(socket, keepsAlive ? '0\r\n\r\n' : '')
  }, TOKEN_MS)
}

const chunk = (text: string) => (keepsAlive ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : text)

function replyOf(body: string): string {
  const { rawHeaders = [] } = loadExchange('1.115.1', 'chat-normal').response
  const headers = rawHeaders.filter((line) => !line.startsWith('content-length'))
  headers.push(`content-length: ${Buffer.byteLength(body)}`)
  return `${PROTOCOL} 200 OK\r\n${headers.join('\r\n')}${REQUEST_END}${body}`
}

/** The recorded server was so quick that its tokens came in one event: the same text, a word an event. */
function tokenEvents(stream: string): string[] {
  const [whole = '', ...rest] = stream.split(/(?<=\n\n)/)
  const text = /"content": "([^"]+)"/.exec(whole)?.[1] ?? ''
  const words = text.split(/(?= )/).map((word) => whole.replace(text, word))
  return [...words, rest.join('')]
}
