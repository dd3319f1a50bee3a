// `npm run soak [--seconds 600]`: load at 70 % of what the backends can do, and a look into the process of the server every
// few seconds. Ends with 1 when memory, handles or listeners grow, the event loop is late, or anything was lost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { numberFlags } from './numbers/number-flags.ts'

const HELP = `npm run soak: loads the server for long and watches what it holds. Ends with 1 when memory, handles or listeners grow,
the event loop is late, or anything was lost.

  --seconds <number>             how long, default 600
  --warm-up-seconds <number>     samples that are dropped, default 60
  --every-seconds <number>       between two samples, default 5
  --share <number>               how busy the simulated servers are kept, from 0 to 1, default 0.7
  --boxes <number>               simulated servers, one slot each, default 4
  --connections <number>         most requests on their way at one time, default 200
  --seed <number>                the same seed sends the same requests, default 1
  --heap-mb-per-minute <number>  growth of the heap that must not be certain, default 1
  --loop-p99-ms <number>         how late 1 % of the turns of the event loop may be, default 50
  --preload <file>               a module to load into the server, like packages/bench/src/soak/leak.mjs
  --json <file>                  write all samples there
  --help
`
const DEFAULTS = {
  seconds: 600,
  'warm-up-seconds': 60,
  'every-seconds': 5,
  share: 0.7,
  boxes: 4,
  connections: 200,
  seed: 1,
  'heap-mb-per-minute': 1,
  'loop-p99-ms': 50,
}

const flags = numberFlags({ help: HELP, defaults: DEFAULTS, texts: ['preload', 'json'] })
if (flags !== undefined) {
  const { numbers, texts } = flags
  const { runSoak } = await import('./soak/run-soak.ts')
  const { writeSoakReport } = await import('./soak/write-soak-report.ts')
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-soak-'))
  try {
    const report = await runSoak({
      ...numbers,
      warmUpSeconds: numbers['warm-up-seconds'],
      everySeconds: numbers['every-seconds'],
      heapMbPerMinute: numbers['heap-mb-per-minute'],
      loopP99Ms: numbers['loop-p99-ms'],
      preloads: texts.preload === undefined ? [] : [resolve(texts.preload)],
      folder,
      say: (what) => process.stderr.write(`${what}\n`),
    })
    process.stdout.write(writeSoakReport(report))
    if (texts.json !== undefined) writeFileSync(texts.json, `${JSON.stringify(report, null, 2)}\n`)
    if (report.problems.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
