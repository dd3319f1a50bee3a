// `npm run torture [URL]`: does to a gateway what local model servers do. Without a URL: to ours, to @portkey-ai/gateway and
// to a plain server on the AI SDK, side by side.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { numberFlags } from './numbers/number-flags.ts'

const HELP = `npm run torture [URL]: scores a gateway that speaks OpenAI's dialect on what hurts with local models. Ends with 1 when
a row fails (without a URL: a row of AI Ticket), with 2 when it does not even answer an ordinary call.

  URL                       base address of the gateway, without /v1; without it ours and others are started and compared
  --backend-port <number>   where the simulated OpenAI-like server listens, default 5101
  --kobold-port <number>    where the simulated KoboldCPP listens, default 5102
  --model <name>            the model by which the gateway asks the first one, default torture-openai
  --kobold-model <name>     the model by which it asks the second one; without it the rows of KoboldCPP are left out
  --door <name>             the API by which the rows go: chat (default), messages, responses or kobold
  --authorization <text>    sent as the header of that name
  --slow                    a first token after more than five minutes instead of twelve seconds
  --rows <text>             only rows whose name holds this text
  --only <text>             only gateways whose name holds this text (without a URL)
  --json <file>             write all findings there
  --help
`
const flags = numberFlags({
  help: HELP,
  defaults: { 'backend-port': 5101, 'kobold-port': 5102 },
  texts: ['model', 'kobold-model', 'authorization', 'rows', 'only', 'json', 'door'],
  switches: ['slow'],
})
if (flags !== undefined) {
  const { numbers, texts, switches, positionals } = flags
  const [url] = positionals
  const say = (what: string) => process.stderr.write(`${what}\n`)
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-torture-'))
  try {
    const { ROWS } = await import('./torture/run-torture.ts')
    const { tortureAll, tortureForeign } = await import('./torture/torture-all.ts')
    const { DOOR_NAMES } = await import('./torture/gateways/doors.ts')
    const { writeScores } = await import('./torture/write-scores.ts')
    const ports = { openai: numbers['backend-port'], kobold: numbers['kobold-port'] }
    const rows = ROWS.filter(({ name }) => name.includes(texts.rows ?? ''))
    const door = DOOR_NAMES.find((name) => name === (texts.door ?? 'chat'))
    if (door === undefined) throw new Error(`--door is one of ${DOOR_NAMES.join(', ')}, not ${texts.door}.`)
    const options = { isSlow: switches.slow, say, rows, door }
    const { model, authorization } = texts
    const foreign = { url: url ?? '', model, koboldModel: texts['kobold-model'], authorization }
    const scores =
      url === undefined
        ? await tortureAll({ ...options, folder, only: texts.only ?? '' })
        : [await tortureForeign({ ...options, ports, ...foreign })]
    process.stdout.write(writeScores(scores))
    if (texts.json !== undefined) writeFileSync(texts.json, `${JSON.stringify(scores, null, 2)}\n`)
    if (scores[0]?.rows.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
