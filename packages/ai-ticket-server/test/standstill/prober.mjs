// Asks two servers again and again how they are, each over a connection of its own: how much longer the first takes than
// the second is how long its event loop stood still. On a busy machine a server that works gets less of the processor than
// one that does nothing: so no more counts than the processor time that it took meanwhile, where the system tells that.
// A process of its own, so that what the test does does not count. A message takes the worst since the last one.
import { readFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'

const EVERY_MS = 20

const idle = createServer((_request, response) => response.end('ok'))
await new Promise((resolve) => idle.listen(0, '127.0.0.1', resolve))
const [, , asked, pid] = process.argv
const beside = `http://127.0.0.1:${idle.address().port}`

/** Milliseconds until the answer. */
function ask(url, agent) {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const done = () => resolve(performance.now() - startedAt)
    request(`${url}/livez`, { agent }, (response) => response.resume().once('end', done))
      .once('error', done)
      .end()
  })
}

/** A tick is 10 ms on every Linux that matters. */
const TICK_MS = 10

/** Processor time of the server so far, in milliseconds. Undefined: this system does not tell. */
function processorMs() {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}

let worstMs = 0
const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })]
process.on('message', () => {
  process.send({ worstMs })
  worstMs = 0
})
process.on('disconnect', () => process.exit(0))
for (;;) {
  const from = processorMs()
  const [server, nothing] = await Promise.all([ask(asked, agents[0]), ask(beside, agents[1])])
  const to = processorMs()
  const spent = from === undefined || to === undefined ? server : to - from + TICK_MS
  worstMs = Math.max(worstMs, Math.min(server - nothing, spent))
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
}
