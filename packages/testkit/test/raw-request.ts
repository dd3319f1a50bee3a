import { connect } from 'node:net'
import type { RecordedHttpRequest } from '@ai-ticket/testkit'

export interface RawReply {
  readonly statusLine: string
  readonly headerNames: readonly string[]
  readonly body: string
}

/** Sends a recorded request byte for byte and reads until the server closes. */
export function sendRaw(port: number, request: RecordedHttpRequest): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (data) => {
      text += String(data)
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(parseReply(text)))
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`)
    socket.write(`${request.method} ${request.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    socket.write(bytesOf(request.body ?? ''))
  })
}

/** Bytes that are no UTF-8 were recorded as U+FFFD. */
function bytesOf(body: string): Buffer {
  return body.includes('\ufffd')
    ? Buffer.from(body.replaceAll('\ufffd', '\u00ff'), 'latin1')
    : Buffer.from(body)
}

function parseReply(text: string): RawReply {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...headers] = head.split('\r\n')
  const headerNames = headers.map((line) => line.slice(0, line.indexOf(':')))
  return { statusLine, headerNames, body: rest.join('\r\n\r\n') }
}
