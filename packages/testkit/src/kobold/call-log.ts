import type { RecordedCall } from '../recorded/recorded-call.ts'
import { type Body, type EngineRequest, field, genkeyOf } from './engine-request.ts'
import type { KoboldEndpoint } from './kobold-endpoints.ts'
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
