import { Client } from 'undici'
import type { Ship } from '../servers/fleet.ts'
import { sendCall } from '../servers/send-call.ts'
import { processorMs } from './process-usage.ts'

export interface Throughput {
  readonly requestsPerSecond: number
  /** Processor time of the server for one request, in microseconds: what it costs whatever else the machine does. */
  readonly processorMicros: number
  /** Requests that were reset or not answered with 200. */
  readonly failed: number
}

/** Where connections come and go by the thousand, one may be reset; more would make the numbers worthless. */
const MOST_FAILURES = 0.005

/** Plain requests one after the other on each of so many connections. Rejects if more than a few fail. */
export async function measureThroughput(
  { name, url, plain, pid }: Ship,
  { connections, durationMs }: { readonly connections: number; readonly durationMs: number },
): Promise<Throughput> {
  const clients = Array.from({ length: connections }, () => new Client(url))
  let count = 0
  let failed = 0
  let problem: unknown
  const usedBefore = processorMs(pid)
  const startedAt = performance.now()
  const endAt = startedAt + durationMs
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < endAt) {
        try {
          await sendCall(client, plain)
          count += 1
        } catch (error) {
          failed += 1
          problem = error
        }
      }
    }),
  )
  const tookMs = performance.now() - startedAt
  if (failed > count * MOST_FAILURES) {
    throw new Error(`${name}: ${failed} of ${failed + count} requests failed`, { cause: problem })
  }
  const processorMicros = ((processorMs(pid) - usedBefore) * 1000) / count
  await Promise.all(clients.map((client) => client.close()))
  return { requestsPerSecond: (count / tookMs) * 1000, processorMicros, failed }
}
