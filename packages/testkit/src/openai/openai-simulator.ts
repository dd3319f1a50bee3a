import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createTimers } from '../wire/simulated-tokens.ts'
import { createWatch, type WaitOptions } from '../wire/watch.ts'
import { ModelSwap } from './model-swap.ts'
import { answerOpenAI, sendScripted } from './openai-answer.ts'
import { infoReply, refusal } from './openai-info-replies.ts'
import {
  type OpenAICall,
  type OpenAISimulatorOptions,
  type ResolvedOpenAIOptions,
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
  /** The model in memory, where only one is (`loadMs`). */
  readonly loadedModel: string | undefined
  /** How often a model was loaded. */
  readonly loads: number
  /** Lets go of the model in memory, as Ollama does after five minutes. */
  unload(): void
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
 * any number of calls at once and stops one whose caller has gone. It is not a language model: the answers are fixed text.
 */
export async function startOpenAISimulator(options: OpenAISimulatorOptions = {}): Promise<OpenAISimulator> {
  const watch = createWatch()
  const engine = new OpenAIEngine(resolveOpenAIOptions(options), watch.changed)
  const server = createServer((request, response) => engine.handle(request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  const close = () =>
    new Promise<void>((resolve) => {
      engine.stop()
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const simulator: OpenAISimulator = {
    url: `http://127.0.0.1:${port}`,
    calls: engine.calls,
    requests: engine.requests,
    get running() {
      return engine.running
    },
    get maxRunning() {
      return engine.maxRunning
    },
    get loadedModel() {
      return engine.swap?.loaded
    },
    get loads() {
      return engine.swap?.loads ?? 0
    },
    unload: () => engine.swap?.unload(),
    script: (replies, path) => engine.script(replies, path),
    async waitForCall(n = 1, waitOptions = {}) {
      await watch.until(() => engine.calls.length >= n, `call number ${n}`, waitOptions)
      return engine.calls[n - 1] as OpenAICall
    },
    waitFor: (predicate, waitOptions) =>
      watch.until(() => predicate(simulator), 'what the test is waiting for', waitOptions),
    close,
    [Symbol.asyncDispose]: close,
  }
  return simulator
}

/** What the server answers, by its scripts and its settings, and what it saw. */
class OpenAIEngine {
  readonly calls: OpenAICall[] = []
  readonly requests: string[] = []
  readonly swap: ModelSwap | undefined
  readonly #settings: ResolvedOpenAIOptions
  readonly #onChange: () => void
  readonly #timers = createTimers()
  readonly #scripts = new Map<string, ScriptedReply[]>()
  #replyScript: ReplyScript = () => undefined
  #maxRunning = 0

  constructor(settings: ResolvedOpenAIOptions, onChange: () => void) {
    this.#settings = settings
    this.#onChange = onChange
    this.swap =
      settings.loadMs === undefined ? undefined : new ModelSwap(settings.loadMs, this.#timers, onChange)
  }

  get running(): number {
    return this.calls.filter(({ state }) => state === 'running').length
  }

  get maxRunning(): number {
    return this.#maxRunning
  }

  script(replies: readonly ScriptedReply[] | ReplyScript, path = ''): void {
    if (typeof replies === 'function') {
      this.#replyScript = replies
      return
    }
    this.#replyScript = () => undefined
    this.#scripts.set(path, [...replies])
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url?.split('?')[0] ?? '/'
    this.requests.push(`${request.method} ${path}`)
    this.#onChange()
    if (request.method !== 'POST') sendScripted(response, this.#takeScripted(path) ?? this.#info(path))
    else if (GENERATIONS.includes(path)) void this.#generate(request, response, path)
    else void this.#tokenize(request, response, path)
  }

  stop(): void {
    this.#timers.clear()
  }

  async #generate(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const settings = this.#settings
    const body = readJson(await readText(request))
    const call: OpenAICall = { path, headers: request.headers, body, state: 'running', tokensGenerated: 0 }
    this.calls.push(call)
    this.#maxRunning = Math.max(this.#maxRunning, this.running)
    response.on('close', () => {
      call.state = response.writableFinished ? 'finished' : 'dropped'
      call.status = response.statusCode
      this.#onChange()
    })
    this.#onChange()
    const scripted = this.#takeScripted(path) ?? this.#replyScript(call)
    const refused = refusal(settings, request.headers.authorization, body)
    if (scripted) this.#sendLater(response, scripted)
    else if (refused) sendScripted(response, refused)
    else
      this.#withModel(body, response, () => {
        answerOpenAI({ call, response, settings, timers: this.#timers, changed: this.#onChange })
      })
  }

  #withModel(body: OpenAICall['body'], response: ServerResponse, answer: () => void): void {
    const { swap } = this
    const [first = ''] = this.#settings.models
    const model = typeof body.model === 'string' ? body.model : (swap?.loaded ?? first)
    if (swap) response.on('close', swap.use(model, answer))
    else answer()
  }

  async #tokenize(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const body = readJson(await readText(request))
    const reply = this.#takeScripted(path) ?? tokenizerReply(this.#settings, path, body)
    sendScripted(response, reply ?? this.#info(path))
  }

  #info(path: string): ScriptedReply {
    const { swap } = this
    const inMemory = swap?.loaded === undefined ? [] : [swap.loaded]
    const loaded = swap ? inMemory : this.#settings.models
    return infoReply(this.#settings, path, { running: this.running, loaded })
  }

  #takeScripted(path: string): ScriptedReply | undefined {
    const ofGenerations = GENERATIONS.includes(path) ? this.#scripts.get('') : undefined
    return (this.#scripts.get(path) ?? ofGenerations)?.shift()
  }

  #sendLater(response: ServerResponse, reply: ScriptedReply): void {
    if (reply.afterMs === undefined) return void sendScripted(response, reply)
    const cancel = this.#timers.later(reply.afterMs, () => sendScripted(response, reply))
    response.on('close', cancel)
  }
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
