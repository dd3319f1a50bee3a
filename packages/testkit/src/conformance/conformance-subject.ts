import assert from 'node:assert/strict'
import type {
  Backend,
  BackendError,
  Endpoint,
  GenerationEnd,
  GenerationEvent,
  GenerationRequest,
  Turn,
} from '@ai-ticket/core'

/** A backend under test, on a server of its own. */
export interface ConformanceSubject {
  /** Closed by the case. */
  readonly backend: Backend
  /** All text of the last request as the server got it. Without it, dropped turns are looked for in token counts. */
  lastPrompt?(): string | undefined
  /** Whether the server works on nothing. Without it, only the backend's own word is tested. */
  isQuiet?(): boolean | Promise<boolean>
  /** Ends the server. The backend is closed before. */
  close?(): Promise<void>
}

/** How the backend under test is opened, and what it needs. */
export interface ConformanceOptions {
  /** Opens a backend on a server that answers. Called once for each case. */
  open(): Promise<ConformanceSubject>
  /** Opens one whose server is not there: refuses connections, or the like. Absent: this is not tested. */
  openDead?(): Promise<ConformanceSubject>
  /** Must be answered with a hundred tokens or more. Default: asks for a long story. */
  prompt?: string
  /** How long the server may take to stop, in milliseconds. Default 2,000. */
  stopMs?: number
  /** How long an answer may take, in milliseconds. Default 15,000. */
  answerMs?: number
}

/** What a case works with. */
export interface Bench extends ConformanceSubject {
  readonly prompt: string
  readonly stopMs: number
  readonly answerMs: number
}

export interface AskOptions {
  readonly stream?: boolean
  readonly signal?: AbortSignal
  readonly turns?: readonly Turn[]
  readonly parameters?: Partial<GenerationRequest['parameters']>
  readonly headers?: Readonly<Record<string, string>>
  readonly onDelta?: (text: string) => void
}

export interface Answer {
  readonly end: GenerationEnd
  readonly deltas: readonly Extract<GenerationEvent, { type: 'delta' }>[]
}

let calls = 0

/** A request with all defaults; greedy, so that it can be repeated. */
export function requestOf(bench: Bench, { turns, parameters, headers }: AskOptions = {}): GenerationRequest {
  calls += 1
  return {
    key: `conformance-${process.pid}-${calls}`,
    turns: turns ?? [{ role: 'user', content: bench.prompt }],
    parameters: { max_tokens: 200, temperature: 0, top_p: 1, seed: 1, ...parameters },
    ...(headers && { headers }),
  }
}

/** Reads a generation to its end and checks the order of its events. */
export async function ask(bench: Bench, endpoint: Endpoint, options: AskOptions = {}): Promise<Answer> {
  const { stream = false, signal = new AbortController().signal, onDelta } = options
  const deltas: Extract<GenerationEvent, { type: 'delta' }>[] = []
  let end: GenerationEnd | undefined
  const reading = async () => {
    for await (const event of bench.backend.generate(endpoint, requestOf(bench, options), {
      signal,
      stream,
    })) {
      assert.equal(end, undefined, 'nothing comes after the end')
      if (event.type === 'end') end = event
      else {
        deltas.push(event)
        onDelta?.(event.text)
      }
    }
  }
  await within(reading(), bench.answerMs, `an answer of the endpoint ${endpoint.name}`)
  assert.ok(end, 'a generation ends with an end event or throws')
  return { end, deltas }
}

/** The `BackendError` that a promise is rejected with. Its class is not compared: it may come from another copy of core. */
export async function errorOf(promise: Promise<unknown>, what: string): Promise<BackendError> {
  const thrown = await promise.then(
    () => assert.fail(`${what}: it did not fail`),
    (error: unknown) => error,
  )
  assert.ok(
    isBackendError(thrown),
    `${what}: not a BackendError but ${thrown instanceof Error ? thrown.stack : thrown}`,
  )
  return thrown
}

function isBackendError(error: unknown): error is BackendError {
  return error instanceof Error && error.name === 'BackendError' && 'kind' in error && 'stopped' in error
}

/** Fails where it takes longer. */
export async function within<Value>(promise: Promise<Value>, limitMs: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const LOOK_EVERY_MS = 10

/** Waits until the server works on nothing, where it can be asked. */
export async function untilQuiet({ isQuiet, stopMs }: Bench): Promise<void> {
  if (!isQuiet) return
  const until = performance.now() + stopMs
  while (!(await isQuiet())) {
    assert.ok(performance.now() < until, `the server still works ${stopMs} ms after the call has settled`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}
