import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from '@prometheus-io/client'

const PERCENTILES = [50, 99, 100]
const NANOSECONDS = 1e9
const RESOLUTION_MS = 20
const MICROSECONDS = 1e6

/**
 * What the process takes. Set when somebody asks; the event loop is watched from the first time on, with a timer every
 * 20 ms, so that a server that nobody scrapes sleeps.
 */
export function showProcess(registry: Registry, version: string): () => void {
  const registers = [registry]
  new Gauge({
    name: 'ai_ticket_build_info',
    help: 'Always 1; the versions are in the labels',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.versions.node }, 1)
  const started = new Gauge({
    name: 'ai_ticket_start_time_seconds',
    help: 'When the process started, in seconds since 1970',
    registers,
  })
  started.set(performance.timeOrigin / 1_000)
  const resident = new Gauge({
    name: 'ai_ticket_resident_memory_bytes',
    help: 'Memory of the process',
    registers,
  })
  const heap = new Gauge({
    name: 'ai_ticket_heap_used_bytes',
    help: 'Of that, used by JavaScript',
    registers,
  })
  const processor = new Counter({
    name: 'ai_ticket_cpu_seconds_total',
    help: 'Processor time of the process, user and system',
    registers,
  })
  const delay = new Gauge({
    name: 'ai_ticket_event_loop_delay_seconds',
    help: 'How late the event loop was since the last scrape, by percentile',
    // Not `quantile`: that label belongs to summaries.
    labelNames: ['percentile'],
    registers,
  })
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

  return () => {
    const { rss, heapUsed } = process.memoryUsage()
    resident.set(rss)
    heap.set(heapUsed)
    const { user, system } = process.cpuUsage()
    processor.reset()
    processor.inc((user + system) / MICROSECONDS)
    for (const percentile of PERCENTILES) {
      // It measures from tick to tick of its timer: a loop that is not late shows the resolution.
      const between = histogram.count === 0 ? 0 : histogram.percentile(percentile) / NANOSECONDS
      delay.set({ percentile: String(percentile) }, Math.max(0, between - RESOLUTION_MS / 1000))
    }
    histogram.reset()
    histogram.enable()
  }
}
