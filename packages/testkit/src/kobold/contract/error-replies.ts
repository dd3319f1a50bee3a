import { pythonJson } from '../../wire/python-json.ts'
import { jsonReply, type WholeReply } from '../../wire/reply-sink.ts'
import type { KoboldVersion } from './simulator-options.ts'

function detail(status: number, type: string, msg: string): WholeReply {
  return { ...jsonReply(pythonJson({ detail: { msg, type } }), status), length: false }
}

export function badInput(): WholeReply {
  return detail(500, 'bad_input', 'Error parsing input.')
}

export function payloadTooBig(): WholeReply {
  return detail(500, 'bad_input', 'Payload is too big. Max payload size is 32MB.')
}

export function busy(): WholeReply {
  return detail(503, 'service_unavailable', 'Server is busy; please try again later.')
}

export function rateLimited(seconds: number): WholeReply {
  const text = `You are sending requests too quickly. Please try again in ${seconds} seconds.`
  return detail(503, 'service_unavailable', text)
}

export function unauthorized(): WholeReply {
  const msg = 'Authentication key is missing or invalid.'
  const body = pythonJson({ detail: { error: 'Unauthorized', msg, type: 'unauthorized' } })
  return { ...jsonReply(body, 401), length: false }
}

/** A 404 to a POST has no body, one to a GET a line of text. */
export function notFound(method: string, path: string, version: KoboldVersion): WholeReply {
  const text =
    version === '1.76'
      ? 'Error: HTTP Server is running, but this endpoint does not exist. Please check the URL.'
      : 'Error: KoboldCpp HTTP Server is running, but this endpoint does not exist. Please check the URL and ' +
        `METHOD.<br><a href="/api">[Read API documentation here]</a><br><br>Current path: ${path}`
  return { status: 404, contentType: 'text/html', body: method === 'POST' ? '' : text, length: false }
}

export function unsupportedMethod(method: string): WholeReply {
  const body =
    '<!DOCTYPE HTML>\n<html lang="en">\n    <head>\n        <meta charset="utf-8">\n        <title>Error response</title>\n' +
    '    </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: 501</p>\n' +
    `        <p>Message: Unsupported method ('${method}').</p>\n` +
    '        <p>Error code explanation: 501 - Server does not support this operation.</p>\n    </body>\n</html>\n'
  return {
    status: 501,
    statusText: `Unsupported method ('${method}')`,
    contentType: 'text/html;charset=utf-8',
    body,
    length: true,
  }
}

/** OpenAI's shape, which KoboldCPP never uses but gateways in front of it do. */
export function openAiError(
  status: number,
  error: { message: string; type: string; code: string | null },
): WholeReply {
  return { ...jsonReply(JSON.stringify({ error }), status), length: true }
}

export function contextLengthExceeded(contextLength: number): WholeReply {
  return openAiError(400, {
    message: `This model's maximum context length is ${contextLength} tokens. Please reduce the length of the messages.`,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
  })
}
