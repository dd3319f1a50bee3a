// `npm run load [--seconds 30] [--rate 40] [--connections 200] [--boxes 4] [--seed 1] [--json file]`: a seeded mix of all
// that callers do, against simulated KoboldCPP servers and the real server in a process of its own. Ends with 1 when
// anything was lost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { numberFlags } from './numbers/number-flags.ts'

const HELP = `npm run load: sends a seeded mix of requests (short, long, streams, hang-ups, bursts, bad input, tickets) to the
server in front of simulated KoboldCPP servers. Ends with 1 when anything was lost or a slot was exceeded.

  --seconds <number>      how long requests are sent, default 30
  --rate <number>         requests a second, default 40
  --connections <number>  most requests on their way at one time, default 200
  --boxes <number>        simulated servers, one slot each, default 4
  --seed <number>         the same seed sends the same requests, default 1
  --json <file>           write all counts there
  --help
`
const DEFAULTS = { seconds: 30, rate: 40, connections: 200, boxes: 4, seed: 1 }

const flags = numberFlags({ help: HELP, defaults: DEFAULTS, texts: ['json'] })
if (flags !== undefined) {
  const { runLoad } = await import('./load/run-load.ts')
  const { writeLoadReport } = await import('./load/load-report.ts')
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-load-'))
  try {
    const report = await runLoad({
      ...flags.numbers,
      folder,
      say: (what) => process.stderr.write(`${what}\n`),
    })
    process.stdout.write(writeLoadReport(report))
    if (flags.texts.json !== undefined)
      writeFileSync(flags.texts.json, `${JSON.stringify(report, null, 2)}\n`)
    if (report.problems.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
