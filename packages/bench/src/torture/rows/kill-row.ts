import { setTimeout as sleep } from 'node:timers/promises'
import { MODELS } from '../gateways/gateway.ts'
import { type Finding, fail, notApplicable, passIf, type Row, type Subject } from './finding.ts'

const TICKETS = 6
const PATIENCE_MS = 30_000

/** Accepts events for later, is killed while it works on them, and starts again. */
async function lostOnKill({ gateway, range }: Subject): Promise<Finding> {
  if (gateway.killAndRestart === undefined)
    return notApplicable('takes nothing for later, or not ours to kill')
  const ids = await Promise.all(Array.from({ length: TICKETS }, () => accept(gateway.url)))
  if (ids.includes(undefined)) return fail('an event was not accepted with 202')
  await range.kobold.waitFor(({ generating }) => generating)
  await gateway.killAndRestart()
  const endAt = performance.now() + PATIENCE_MS
  let states: string[] = []
  do {
    await sleep(200)
    states = await Promise.all(ids.map((id) => statusOf(gateway.url, id ?? '')))
  } while (performance.now() < endAt && states.some((state) => state !== 'completed'))
  const completed = states.filter((state) => state === 'completed').length
  return passIf(
    completed === TICKETS,
    `killed with ${TICKETS} accepted: ${completed} completed after the restart`,
  )
}

async function accept(url: string): Promise<string | undefined> {
  const reply = await fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: JSON.stringify({ content: 'Go on.', model: MODELS.kobold, parameters: { max_tokens: 60 } }),
  })
  const body = (await reply.json()) as { id?: string }
  return reply.status === 202 ? body.id : undefined
}

async function statusOf(url: string, id: string): Promise<string> {
  const reply = await fetch(`${url}/tickets/${id}`)
  const body = (await reply.json()) as { status?: string; error?: string }
  return body.status ?? body.error ?? String(reply.status)
}

export const KILL_ROWS: readonly Row[] = [
  { name: 'what was accepted survives kill -9', backend: 'none', run: lostOnKill },
]
