// Two servers share one PostgreSQL: one takes tickets in and is stopped in the middle of its work, the other runs the rest
// and answers for all of them. Run it with an empty database of its own:
//   AI_TICKET_DATABASE_URL=postgres://user:password@127.0.0.1:5432/tickets node two-servers/two-servers.ts
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { startKoboldSimulator } from '@ai-ticket/testkit'

const TICKETS = 20

const { AI_TICKET_DATABASE_URL } = process.env
if (!AI_TICKET_DATABASE_URL)
  throw new Error('Set AI_TICKET_DATABASE_URL to a PostgreSQL that both servers may use.')

// Two boxes that need a moment for each answer.
await using first = await startKoboldSimulator({ tokensPerSecond: 100 })
await using second = await startKoboldSimulator({ tokensPerSecond: 100 })

// Each server has a name of its own: under it, it finds what it ran before it was stopped.
const one = await startServer('one', first.url)
const two = await startServer('two', second.url)
try {
  const paths: string[] = []
  for (let number = 1; number <= TICKETS; number++) {
    const reply = await fetch(`${one.url}/tickets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ content: `Say ${number}.` }),
    })
    if (reply.status !== 202) throw new Error(`Not accepted: ${reply.status} ${await reply.text()}`)
    paths.push(reply.headers.get('location') ?? '')
  }
  await Promise.all([first.waitForCall(2), second.waitForCall(2)])

  // Like a deployment: what it runs goes back to the queue. (After a `kill -9` the others wait for its lease, half a minute.)
  one.child.kill('SIGTERM')
  await once(one.child, 'close')

  const tickets = await Promise.all(paths.map((path) => ask(`${two.url}${path}?wait=60s`)))
  const completed = tickets.filter(({ status }) => status === 'completed').length
  const byBoth = first.calls.length > 0 && second.calls.length > 0
  process.stdout.write(
    `${completed} of ${TICKETS} completed, ${byBoth ? 'by both servers' : 'by one alone'}\n`,
  )
  if (completed !== TICKETS || !byBoth) process.exitCode = 1
} finally {
  one.child.kill('SIGKILL')
  two.child.kill('SIGTERM')
  await once(two.child, 'close')
}

async function ask(url: string): Promise<{ status?: string }> {
  return (await (await fetch(url)).json()) as { status?: string }
}

/** `npx ai-ticket-server`, on a free port. */
async function startServer(name: string, backend: string): Promise<{ child: ChildProcess; url: string }> {
  const program = join(
    dirname(createRequire(import.meta.url).resolve('ai-ticket-server/package.json')),
    'dist/serve.js',
  )
  const child = spawn(process.execPath, [program, '--port', '0'], {
    env: {
      ...process.env,
      AI_TICKET_WORKER: name,
      AI_TICKET_DRAIN_MS: '0',
      KOBOLDCPP_API_URL: backend,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const [found] = /(?<=Listening on )http:[^"\s]+/.exec(line) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('close', () => reject(new Error(`The server "${name}" did not start.`)))
  })
  return { child, url }
}
