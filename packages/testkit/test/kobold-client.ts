import type { KoboldSimulator } from '@ai-ticket/testkit'

export interface PlainResponse {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A plain client of the simulator, on the global `fetch`. */
export function clientOf({ url }: Pick<KoboldSimulator, 'url'>) {
  const post = async (path: string, body: unknown, signal?: AbortSignal): Promise<PlainResponse> => {
    const init = { method: 'POST', body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) }
    const response = await fetch(url + path, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const json = async (path: string, body: unknown) => JSON.parse((await post(path, body)).text)
  return {
    post,
    generate: (body: object, signal?: AbortSignal) =>
      post('/api/v1/generate', { prompt: 'Once upon a time', ...body }, signal),
    stream: (body: object, signal?: AbortSignal) =>
      post('/api/extra/generate/stream', { prompt: 'Once upon a time', ...body }, signal),
    chat: (body: object = {}, signal?: AbortSignal) =>
      post(
        '/v1/chat/completions',
        { messages: [{ role: 'user', content: 'Tell me about Lily.' }], ...body },
        signal,
      ),
    abort: (genkey?: string) => json('/api/extra/abort', genkey === undefined ? {} : { genkey }),
    check: async (genkey?: string): Promise<string> =>
      (await json('/api/extra/generate/check', genkey === undefined ? {} : { genkey })).results[0].text,
    perf: async () => JSON.parse(await (await fetch(`${url}/api/extra/perf`)).text()),
  }
}
