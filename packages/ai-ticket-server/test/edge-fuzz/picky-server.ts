import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PickyServer extends AsyncDisposable {
  readonly url: string
  /** Refusals so far, by what was refused. */
  readonly refused: ReadonlyMap<string, number>
}

type Body = Readonly<Record<string, unknown>>

interface Refusal {
  readonly of: string
  readonly status: number
  readonly body: unknown
}

/**
 * A server that refuses what it can refuse, as vLLM, llama.cpp and OpenRouter do, and repeats the caller's text in its
 * words. It lists a model that it does not have, and answers all else at once.
 */
export async function startPickyServer(): Promise<PickyServer> {
  const refused = new Map<string, number>()
  const server = createServer(async (request, response) => {
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (request.method === 'GET') {
      if (request.url === '/v1/models') return reply(200, { data: [{ id: 'default' }, { id: 'gone' }] })
      return reply(404, { error: 'no such path' })
    }
    let text = ''
    for await (const piece of request) text += piece
    const body = JSON.parse(text) as Body
    if (request.url !== '/v1/chat/completions') return reply(404, { detail: 'Not Found' })
    const refusal = refusalOf(body)
    if (!refusal) return answer(body.stream === true, reply, response)
    refused.set(refusal.of, (refused.get(refusal.of) ?? 0) + 1)
    return reply(refusal.status, refusal.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer(
  stream: boolean,
  reply: (status: number, body: unknown) => void,
  response: { end(text: string): void },
): void {
  const choice = { index: 0, finish_reason: 'stop' }
  if (!stream) {
    reply(200, { choices: [{ ...choice, message: { content: 'Because.' } }] })
    return
  }
  const event = JSON.stringify({ choices: [{ ...choice, delta: { content: 'Because.' } }] })
  response.end(`data: ${event}\n\ndata: [DONE]\n\n`)
}

function refusalOf(body: Body): Refusal | undefined {
  const { model, response_format, grammar, tools, tool_choice, messages } = body
  if (model !== undefined && model !== 'default') {
    const message = `The model \`${model}\` does not exist.`
    return { of: 'model', status: 404, body: { error: { message, type: 'NotFoundError', code: 404 } } }
  }
  const format = grammar ?? response_format
  if (format !== undefined) {
    const message = `${written(format)}: failed to parse the grammar`
    return { of: 'schema', status: 400, body: { error: { message, type: 'BadRequestError', code: 400 } } }
  }
  if (tools !== undefined || tool_choice !== undefined) {
    const detail = [
      { loc: ['body', 'tool_choice'], msg: 'Input should be auto', input: tool_choice ?? tools },
    ]
    return { of: 'tools', status: 422, body: { detail } }
  }
  for (const option of [
    'min_p',
    'dry_sequence_breakers',
    'banned_strings',
    'mirostat',
    'logit_bias',
    'stop',
  ]) {
    if (body[option] === undefined) continue
    const message = `Unrecognized value ${written(body[option])} of \`${option}\``
    return { of: 'sampler', status: 400, body: { error: { message, param: option } } }
  }
  if (written(messages).includes('image_url')) {
    const message = `cannot read the image ${written(messages)}`
    return { of: 'image', status: 400, body: { error: { message, type: 'BadRequestError' } } }
  }
  if (!/Why\?/.test(written(messages))) return flagged(messages)
  return undefined
}

/** OpenRouter's answer where a moderation has stopped the input. */
function flagged(messages: unknown): Refusal {
  const message = 'Your chosen model requires moderation and your input was flagged'
  const metadata = { reasons: ['violence'], flagged_input: written(messages).slice(0, 100) }
  return { of: 'moderation', status: 403, body: { error: { code: 403, message, metadata } } }
}

const written = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
