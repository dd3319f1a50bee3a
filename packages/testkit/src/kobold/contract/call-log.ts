import type { KoboldEndpoint } from './kobold-endpoints.ts'
import type { RecordedCall } from './recorded-call.ts'
import type { ResolvedOptions } from './simulator-options.ts'

export type GenerationKind = Extract<KoboldEndpoint, { kind: 'generation' }>

/** The account of all generations that were asked for. */
export interface CallLog {
  readonly calls: readonly RecordedCall[]
  record(request: EngineRequest, kind: GenerationKind, body: Body): RecordedCall
  /** The call has ended, and how. */
  settle(call: RecordedCall, state: RecordedCall['state'], status?: number): void
}

type CallLogOptions = Pick<ResolvedOptions, 'recordCalls' | 'onCall' | 'onCallEnd'>

/** `recordCalls: false`: calls are counted but not kept. */
export function createCallLog(options: CallLogOptions, onChange: () => void): CallLog {
  const calls: RecordedCall[] = []
  let callCount = 0
  return {
    calls,
    record(request, { endpoint, nativeStream }, body) {
      const genkey = genkeyOf(body)
      callCount += 1
      const call: RecordedCall = {
        id: callCount,
        endpoint,
        stream: nativeStream || (endpoint !== 'native' && field(body, 'stream') === true),
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: body.ok ? body.value : undefined,
        genkey: genkey === '' ? undefined : genkey,
        startedAt: performance.now(),
        state: 'waiting',
        tokensGenerated: 0,
      }
      if (options.recordCalls) calls.push(call)
      options.onCall(call)
      return call
    },
    settle(call, state, status) {
      call.state = state
      const isFirstEnd = call.endedAt === undefined
      call.endedAt = performance.now()
      if (status !== undefined) call.status = status
      if (isFirstEnd) options.onCallEnd(call)
      onChange()
    },
  }
}

/** A request as it came in, whatever carried it. */
export interface EngineRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The body's text; undefined if it is not UTF-8. */
  readonly bodyText: string | undefined
}

/** A body as JSON, or the fact that it is none. */
export type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false }

export function parseBody(text: string | undefined): Body {
  if (text === undefined) return { ok: false }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

function field(body: Body, name: string): unknown {
  if (!body.ok || typeof body.value !== 'object' || body.value === null) return undefined
  return (body.value as Record<string, unknown>)[name]
}

export function genkeyOf(body: Body): string {
  const genkey = field(body, 'genkey')
  return typeof genkey === 'string' ? genkey : ''
}

/** Whether the right key came along; without a password any will do. */
export function isAuthorized({ headers }: EngineRequest, { password }: ResolvedOptions): boolean {
  return password === undefined || headers.authorization === `Bearer ${password}`
}
