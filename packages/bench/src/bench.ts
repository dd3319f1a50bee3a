// `pnpm bench [--quick] [--json file]`: what AI Ticket costs, in one run beside the backend alone, a bare proxy and
// another gateway. Absolute numbers belong to the machine; the ratios are what counts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { aiTicket, aiTicketLogging, bareProxy, direct, portkey } from './contenders.ts'
import { installPortkey, PORTKEY_VERSION } from './install-portkey.ts'
import { writeReport } from './report.ts'
import { type Amount, takeFigures } from './take-figures.ts'
import { isReached, targetsOf } from './targets.ts'

const FULL: Amount = {
  rounds: 5,
  // V8 needs some 20,000 events before their cost no longer falls.
  warmUpMs: 8000,
  windowMs: 3000,
  requests: 500,
  streams: 80,
  withClosingBackend: true,
}
/** Enough to see that nothing broke; too little to compare versions by. */
const QUICK: Amount = {
  rounds: 3,
  warmUpMs: 2000,
  windowMs: 700,
  requests: 200,
  streams: 30,
  withClosingBackend: false,
}

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'string' } } })
const say = (what: string) => process.stderr.write(`${what} …\n`)
const gateway = await installPortkey()
if ('problem' in gateway) say(`@portkey-ai/gateway is not there to compare with: ${gateway.problem}`)

const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-bench-'))
try {
  const figures = await takeFigures({
    amount: values.quick ? QUICK : FULL,
    folder,
    say,
    contendersFor: (backendUrl) => [
      direct,
      bareProxy,
      aiTicket,
      aiTicketLogging,
      ...('startScript' in gateway ? [portkey(gateway.startScript, backendUrl)] : []),
    ],
  })
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`
  const peer = `@portkey-ai/gateway ${'problem' in gateway ? 'not available' : PORTKEY_VERSION}`
  const backend = 'a backend that answers at once with a recorded reply of KoboldCPP 1.115.1'
  process.stdout.write(`# AI Ticket bench\n\n${machine}; ${peer}; ${backend}.\n\n${writeReport(figures)}`)
  if (values.json !== undefined) {
    const targets = targetsOf(figures).map((target) => ({ ...target, reached: isReached(target) ?? null }))
    writeFileSync(values.json, `${JSON.stringify({ machine, peer, targets, figures }, null, 2)}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
