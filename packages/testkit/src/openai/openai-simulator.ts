import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createTimers } from '../wire/simulated-tokens.ts'
import { createWatch, type WaitOptions } from '../wire/watch.ts'
import { answerOpenAI, sendScripted } from './openai-answer.ts'
import { infoReply, refusal } from './openai-info-replies.ts'
import {
  type OpenAICall,
  type OpenAISimulatorOptions,
  resolveOpenAIOptions,
  type ScriptedReply,
} from './openai-simulator-options.ts'
import { tokenizerReply } from './openai-tokenizer.ts'

/** What a call is answered with instead of a generation. */
export type ReplyScript = (call: OpenAICall) => ScriptedReply | undefined

/** A running simulator. */
export interface OpenAISimulator extends AsyncDisposable {
  /** Base address without a slash at the end and without `/v1`. */
  readonly url: string
  /** Generations, in order of arrival. */
  readonly calls: readonly OpenAICall[]
  /** Every request, as `GET /v1/models`. */
  readonly requests: readonly string[]
  /** Generations that run now. */
  readonly running: number
  /** The most generations that ran at the same time, those with a scripted reply included. */
  readonly maxRunning: number
  /**
   * Answers the next call of a generation, or of `path`, with these, one call each; or every generation with what the
   * function gives for it, and undefined is an answer as always.
   */
  script(replies: readonly ScriptedReply[] | ReplyScript, path?: string): void
  /** Resolves with the n-th call (from 1) as soon as it has come in. */
  waitForCall(n?: number, options?: WaitOptions): Promise<OpenAICall>
  /** Resolves as soon as the predicate holds; it is asked whenever something happened. */
  waitFor(predicate: (simulator: OpenAISimulator) => boolean, options?: WaitOptions): Promise<void>
  /** Ends everything. May be called twice. */
  close(): Promise<void>
}

const GENERATIONS = ['/v1/chat/completions', '/v1/completions']

/**
 * Starts a small OpenAI-compatible server on a loopback socket, with the habits of llama.cpp, vLLM or Ollama. It takes
 * any number of calls at once and stops one whose caller has gone. It is no language model: the answers are fixed text.
 */
export async function startOpenAISimulator(options: OpenAISimulatorOptions = {}): Promise<OpenAISimulator> {
  const settings = resolveOpenAIOptions(options)
  const watch = createWatch()
  const timers = createTimers()
  const calls: OpenAICall[] = []
  const requests: string[] = []
  const scripts = new Map<string, ScriptedReply[]>()
  const running = () => calls.filter(({ state }) => state === 'running').length

  let replyScript: ReplyScript = () => undefined
  let maxRunning = 0

  const takeScripted = (path: string): ScriptedReply | undefined => {
    const list = scripts.get(path) ?? (GENERATIONS.includes(path) ? scripts.get('') : undefined)
    return list?.shift()
  }
  const sendLater = (response: ServerResponse, reply: ScriptedReply) => {
    if (reply.afterMs === undefined) return sendScripted(response, reply)
    const cancel = timers.later(reply.afterMs, () => sendScripted(response, reply))
    response.on('close', cancel)
  }
  const generate = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    const body = readJson(await readText(request))
    const call: OpenAICall = { path, headers: request.headers, body, state: 'running', tokensGenerated: 0 }
    calls.push(call)
    maxRunning = Math.max(maxRunning, running())
    response.on('close', () => {
      call.state = response.writableFinished ? 'finished' : 'dropped'
      call.status = response.statusCode
      watch.changed()
    })
    watch.changed()
    const scripted = takeScripted(path) ?? replyScript(call)
    const refused = refusal(settings, request.headers.authorization, body)
    if (scripted) sendLater(response, scripted)
    else if (refused) sendScripted(response, refused)
    else answerOpenAI({ call, response, settings, timers, changed: watch.changed })
  }
  const tokenize = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    const body = readJson(await readText(request))
    const reply = takeScripted(path) ?? tokenizerReply(settings, path, body)
    sendScripted(response, reply ?? infoReply(settings, path, running()))
  }
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '/'
    requests.push(`${request.method} ${path}`)
    watch.changed()
    if (request.method === 'POST' && GENERATIONS.includes(path)) void generate(request, response, path)
    else if (request.method === 'POST') void tokenize(request, response, path)
    else sendScripted(response, takeScripted(path) ?? infoReply(settings, path, running()))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  const close = () =>
    new Promise<void>((resolve) => {
      timers.clear()
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const simulator: OpenAISimulator = {
    url: `http://127.0.0.1:${port}`,
    calls,
    requests,
    get running() {
      return running()
    },
    get maxRunning() {
      return maxRunning
    },
    script(replies, path = '') {
      if (typeof replies === 'function') {
        replyScript = replies
        return
      }
      replyScript = () => undefined
      scripts.set(path, [...replies])
    },
    async waitForCall(n = 1, waitOptions = {}) {
      await watch.until(() => calls.length >= n, `call number ${n}`, waitOptions)
      return calls[n - 1] as OpenAICall
    },
    waitFor: (predicate, waitOptions) =>
      watch.until(() => predicate(simulator), 'what the test is waiting for', waitOptions),
    close,
    [Symbol.asyncDispose]: close,
  }
  return simulator
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function readJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
