import type { Clock } from '@ai-ticket/core'
import type { ChaosPlan, ChaosReply } from './chaos-plan.ts'

/** A server in the same process, for the option `fetch` of a backend. Its pauses run on the given clock. */
export interface ChaosFetch {
  /** For the option `fetch` of a backend. */
  readonly fetch: typeof globalThis.fetch
  /** Calls of the endpoint that is there. */
  readonly calls: number
  /** Of these, those that have not ended. */
  readonly running: number
}

/** The server of a plan, without sockets: whatever its address, it replies as the plan says. */
export function createChaosFetch(plan: ChaosPlan, clock: Clock): ChaosFetch {
  const running = new Set<AbortController>()
  let calls = 0
  const fetch = async (address: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { pathname } = new URL(address instanceof Request ? address.url : address)
    const endpoint = GENERATIONS[pathname]
    if (endpoint === undefined) {
      // An abort is obeyed as KoboldCPP does: the call ends, with what it had.
      if (pathname === '/api/extra/abort') for (const call of running) clock.setTimer(() => call.abort(), 100)
      const { status, body } = sideReply(pathname, { isIdle: running.size === 0, perf: plan.perf })
      return new Response(body, { status, headers: { 'content-type': 'application/json' } })
    }
    if (endpoint !== plan.endpoint) return new Response('', { status: 404 })
    calls += 1
    const call = new AbortController()
    running.add(call)
    const signal = init.signal ?? new AbortController().signal
    const reply = calls === 1 ? (plan.first ?? plan.reply) : plan.reply
    return answer(reply, { clock, signal, stopped: call.signal, onEnd: () => running.delete(call) })
  }
  return {
    fetch,
    get calls() {
      return calls
    },
    get running() {
      return running.size
    },
  }
}

interface Call {
  readonly clock: Clock
  /** The client hangs up. */
  readonly signal: AbortSignal
  /** The server was told to stop. */
  readonly stopped: AbortSignal
  onEnd(): void
}

const broken = () =>
  new TypeError('terminated', {
    cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
  })

async function answer(reply: ChaosReply, call: Call): Promise<Response> {
  const { headAfterMs, status, headers, end } = reply
  if ((await pass(call, headAfterMs)) === 'left') {
    call.onEnd()
    throw call.signal.reason
  }
  if (end === 'unheard') {
    call.onEnd()
    throw new TypeError('fetch failed', { cause: broken().cause })
  }
  const body = new ReadableStream<Uint8Array>({
    start(control) {
      void send(reply, call, control).finally(() => call.onEnd())
    },
  })
  return new Response(body, { status, headers })
}

/** Waits, until somebody ends the waiting. */
function pass({ clock, signal, stopped }: Call, ms: number): Promise<'passed' | 'left' | 'stopped'> {
  if (signal.aborted) return Promise.resolve('left')
  if (stopped.aborted) return Promise.resolve('stopped')
  if (ms === 0) return Promise.resolve('passed')
  return new Promise((resolve) => {
    const timer = ms === Number.POSITIVE_INFINITY ? undefined : clock.setTimer(() => resolve('passed'), ms)
    const end = (how: 'left' | 'stopped') => () => {
      timer?.cancel()
      resolve(how)
    }
    signal.addEventListener('abort', end('left'), { once: true })
    stopped.addEventListener('abort', end('stopped'), { once: true })
  })
}

async function send(
  { steps, end }: ChaosReply,
  call: Call,
  control: ReadableStreamDefaultController<Uint8Array>,
): Promise<void> {
  const leave = () => control.error(call.signal.reason)
  for (const { afterMs, bytes } of steps) {
    const passed = await pass(call, afterMs)
    if (passed === 'left') return leave()
    if (passed === 'stopped') return control.close()
    control.enqueue(bytes)
  }
  if (end === 'open' && (await pass(call, Number.POSITIVE_INFINITY)) === 'left') return leave()
  if (end === 'reset' || end === 'short') await ended(call, control)
  else if (end !== 'open' || call.stopped.aborted) control.close()
}

/** What was sent before is read first, as it is where a connection breaks with nothing left in it. */
async function ended({ clock }: Call, control: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
  await new Promise<void>((resolve) => clock.setTimer(resolve, 1))
  control.error(broken())
}

/** What a server answers beside generations: enough for a desk to know it by. */
export function sideReply(path: string, state: SideState): { status: number; body: string } {
  const value = SIDE[path]?.(state)
  return value === undefined ? { status: 404, body: '' } : { status: 200, body: JSON.stringify(value) }
}

export interface SideState extends Pick<ChaosPlan, 'perf'> {
  readonly isIdle: boolean
}

const SIDE: Readonly<Record<string, (state: SideState) => object | undefined>> = {
  '/v1/models': () => ({ object: 'list', data: [{ id: 'm', object: 'model' }] }),
  '/api/v1/model': () => ({ result: 'koboldcpp/m' }),
  '/api/extra/true_max_context_length': () => ({ value: 4_096 }),
  '/api/extra/tokencount': () => ({ value: 3, ids: [1, 2, 3] }),
  '/api/extra/version': () => ({ result: 'KoboldCpp', version: '1.115.1', protected: false, llm: true }),
  '/api/extra/perf': ({ isIdle, perf }) =>
    perf && { idle: isIdle ? 1 : 0, queue: 0, last_process: 0, last_eval: 0, ...perf },
  '/api/extra/abort': () => ({ success: 'true', done: 'true' }),
}

/** Paths of generations, by endpoint. The native one has two. */
export const GENERATIONS: Readonly<Record<string, 'chat' | 'text' | 'native'>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'text',
  '/api/v1/generate': 'native',
  '/api/extra/generate/stream': 'native',
}
