import { type HttpHandler, HttpResponse, http } from 'msw'
import type { KoboldFault } from './kobold/contract/kobold-script.ts'
import { type KoboldSimulatorOptions, resolveSimulatorOptions } from './kobold/contract/simulator-options.ts'
import { createFaultBook } from './kobold/fault-book.ts'
import { KoboldEngine } from './kobold/kobold-engine.ts'
import { CollectingSink } from './wire/reply-sink.ts'

/** For `koboldHandlers`. */
export interface KoboldHandlersOptions extends Omit<KoboldSimulatorOptions, 'faults' | 'loadingMs'> {
  /** Base address whose requests are answered, e.g. `http://kobold.test:5001`; with or without `/api`. */
  readonly url: string
  /** The same faults that the simulator takes. */
  readonly script?: readonly KoboldFault[]
}

function headersOf(request: Request): Record<string, string> {
  return Object.fromEntries(request.headers.entries())
}

/**
 * The simulator as msw handlers, for tests in one process. What has no meaning without a socket differs:
 * refused, reset and empty replies are all a failed `fetch`, and a caller that leaves is seen by its signal
 * only. For hang-ups and slow bodies use `startKoboldSimulator`.
 */
export function koboldHandlers(options: KoboldHandlersOptions): HttpHandler[] {
  const resolved = resolveSimulatorOptions({ tokensPerSecond: Number.POSITIVE_INFINITY, ...options })
  const faults = createFaultBook(options.script ?? [])
  const engine = new KoboldEngine(resolved, faults, () => {})
  const { origin } = new URL(options.url)
  return [
    http.all(`${origin}/*`, async ({ request }) => {
      if (faults.refuses() || faults.take('connection') !== undefined) return HttpResponse.error()
      const { pathname, search } = new URL(request.url)
      const sink = new CollectingSink(request.signal)
      const bodyText = await request.text()
      const { method } = request
      engine.handle({ method, path: pathname + search, headers: headersOf(request), bodyText }, sink)
      const answer = await sink.collected
      return answer.kind === 'failed' ? HttpResponse.error() : answer.response
    }),
  ]
}
