// `npm run bench -- [--quick] [--only line|parts|doors|console|warm] [--kobold url,url] [--earlier folder] [--json file]`: what AI Ticket costs, in one run beside the
// backend alone, a bare proxy, another gateway and, where its folder is given, an earlier checkout of itself. Absolute numbers belong to the machine; the ratios are what counts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchConsole, consoleTable, isConsoleCheap } from './event/bench-console.ts'
import { areDoorsFree, benchDoors, doorsTable } from './event/bench-doors.ts'
import { benchParts, partsTable } from './event/bench-parts.ts'
import { writeReport } from './event/report.ts'
import { type Amount, takeFigures } from './event/take-figures.ts'
import { isReached, targetsOf } from './event/targets.ts'
import { benchLine, isLineKept, type LineRun, lineTable } from './line/bench-line.ts'
import {
  aiTicket,
  aiTicketEarlier,
  aiTicketLogging,
  aiTicketWithoutHistory,
  bareProxy,
  direct,
  portkey,
} from './servers/contenders.ts'
import { installPortkey, PORTKEY_VERSION } from './servers/install-portkey.ts'
import { benchWarm, missedCalibrations, missedWarmTargets, warmTable } from './warm/bench-warm.ts'

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

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'string' },
    only: { type: 'string' },
    earlier: { type: 'string' },
    kobold: { type: 'string' },
  },
})
const ONLY = ['line', 'parts', 'doors', 'console', 'warm']
if (values.only !== undefined && !ONLY.includes(values.only)) {
  throw new RangeError(`--only knows ${ONLY.join(', ')}, not "${values.only}".`)
}
const say = (what: string) => process.stderr.write(`${what} …\n`)
const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-bench-'))
const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`
const save = (content: object) => {
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(content, null, 2)}\n`)
}
try {
  if (values.only === 'parts') await showParts()
  else if (values.only === 'doors') await showDoors()
  else if (values.only === 'console') await showConsole()
  else if (values.only === 'warm') await showWarm()
  else await compareAll()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function showParts(): Promise<void> {
  const parts = await benchParts({ quick: values.quick ?? false, folder, say })
  process.stdout.write(
    `# AI Ticket bench\n\n${machine}.\n\n## What each part costs\n\n${partsTable(parts)}\n`,
  )
  save({ machine, parts })
}

/** Whether further APIs cost those anything who do not use them. */
async function showDoors(): Promise<void> {
  const rounds = await benchDoors({ quick: values.quick ?? false, folder, say })
  process.stdout.write(`# AI Ticket bench\n\n${machine}.\n\n## Further doors\n\n${doorsTable(rounds)}\n`)
  if (!areDoorsFree(rounds)) process.exitCode = 1
  save({ machine, doors: rounds })
}

/** Whether the console costs those anything who do not look at it, and what a look costs. */
async function showConsole(): Promise<void> {
  const rounds = await benchConsole({ quick: values.quick ?? false, folder, say })
  process.stdout.write(`# AI Ticket bench\n\n${machine}.\n\n## The console\n\n${consoleTable(rounds)}\n`)
  if (!isConsoleCheap(rounds)) process.exitCode = 1
  save({ machine, console: rounds })
}

/** On boxes that read as KoboldCPP does, or with `--kobold` on real ones. */
async function showWarm(): Promise<void> {
  const runs = await benchWarm({ kobold: values.kobold?.split(','), say })
  process.stdout.write(`# AI Ticket bench\n\n${machine}.\n\n## Warm prompts\n\n${warmTable(runs)}\n`)
  const uncalibrated = missedCalibrations(runs)
  for (const line of uncalibrated) process.stderr.write(`Not as measured on real servers: ${line}\n`)
  const missed = missedWarmTargets(runs)
  for (const line of missed) process.stderr.write(`Missed: ${line}\n`)
  if (uncalibrated.length + missed.length > 0) process.exitCode = 1
  save({ machine, warm: runs })
}

async function compareAll(): Promise<void> {
  const line = await benchLine({ quick: values.quick ?? false, folder, say })
  const lineReport = `## Eight backends, 256 callers\n\n${lineTable(line)}\n`
  if (!isLineKept(line)) process.exitCode = 1
  if (values.only === 'line') {
    process.stdout.write(`# AI Ticket bench\n\n${machine}.\n\n${lineReport}`)
    save({ machine, line })
  } else await compareWithOthers(line, lineReport)
}

async function compareWithOthers(line: readonly LineRun[], lineReport: string): Promise<void> {
  const gateway = await installPortkey()
  if ('problem' in gateway) say(`@portkey-ai/gateway is not there to compare with: ${gateway.problem}`)
  const figures = await takeFigures({
    amount: values.quick ? QUICK : FULL,
    folder,
    say,
    contendersFor: (backendUrl) => [
      direct,
      bareProxy,
      aiTicket,
      aiTicketWithoutHistory,
      aiTicketLogging,
      ...(values.earlier === undefined ? [] : [aiTicketEarlier(values.earlier)]),
      ...('startScript' in gateway ? [portkey(gateway.startScript, backendUrl)] : []),
    ],
  })
  const peer = `@portkey-ai/gateway ${'problem' in gateway ? 'not available' : PORTKEY_VERSION}`
  const backend = 'a backend that answers at once with a recorded reply of KoboldCPP 1.115.1'
  const head = `# AI Ticket bench\n\n${machine}; ${peer}; ${backend}.`
  process.stdout.write(`${head}\n\n${writeReport(figures)}\n${lineReport}`)
  const targets = targetsOf(figures).map((target) => ({ ...target, reached: isReached(target) ?? null }))
  save({ machine, peer, targets, figures, line })
}
