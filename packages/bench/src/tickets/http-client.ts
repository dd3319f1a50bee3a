// The client of `measureHttpAccepts`, a process of its own, so that it does not take its time from the server.
import { Pool } from 'undici'

const [url = '', connections = '64', windowMs = '3000'] = process.argv.slice(2)
const CONTENT = 'Write a short and friendly reply to the letter of our customer. '.repeat(8)

const pool = new Pool(url, { connections: Number(connections), pipelining: 1 })
const body = JSON.stringify({ content: CONTENT })
const headers = { 'content-type': 'application/json', prefer: 'respond-async' }

async function send(until: number): Promise<number> {
  let accepted = 0
  while (performance.now() < until) {
    const reply = await pool.request({ method: 'POST', path: '/event', headers, body })
    await reply.body.text()
    if (reply.statusCode !== 202) throw new Error(`A ticket was not accepted: ${reply.statusCode}.`)
    accepted += 1
  }
  return accepted
}

async function measure(ms: number): Promise<number> {
  const startedAt = performance.now()
  const counts = await Promise.all(Array.from({ length: Number(connections) }, () => send(startedAt + ms)))
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - startedAt) / 1_000)
}

await measure(Number(windowMs) / 2)
process.stdout.write(`${await measure(Number(windowMs))}\n`)
await pool.close()
