// Loaded into the server by the soak, with `--expose-gc` and a channel, before the program itself. It answers each
// message with what the process holds; the server knows nothing of it, and has no route for it.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 10
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
loop.enable()
let listenerWarnings = 0
process.on('warning', ({ name }) => {
  if (name === 'MaxListenersExceededWarning') listenerWarnings += 1
})

process.on('message', async (message) => {
  // The collection below stops the loop, and is not the server's fault.
  loop.disable()
  if (message === 'reset') loop.reset()
  globalThis.gc()
  // What waits for a finalizer goes with the second one.
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc()
  const { heapUsed, rss } = process.memoryUsage()
  process.send({
    heapUsed,
    rss,
    handles: count(process.getActiveResourcesInfo()),
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    listenerWarnings,
    // The time between two ticks of its timer: the pause itself is no delay.
    loopP99Ms: Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS),
  })
  loop.enable()
})

function count(names) {
  const counts = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
