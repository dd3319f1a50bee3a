import { startKoboldSimulator } from './kobold/kobold-simulator.ts'
import { parseSimulatorFlags, simulatorUsage } from './kobold/simulator-flags.ts'

async function serve(): Promise<void> {
  const flags = parseSimulatorFlags(process.argv.slice(2))
  if (flags.help) {
    process.stdout.write(simulatorUsage)
    return
  }
  const simulator = await startKoboldSimulator({ ...flags.options, recordCalls: false })
  process.stdout.write(
    `KoboldCPP simulator (no language model, fixed answers) on ${simulator.url}\n` +
      `Use it with KOBOLDCPP_API_URL=${simulator.url}/api\n`,
  )
  const stop = () => void simulator.close()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

function explain(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return 'The port is taken; choose another one with --port.'
  }
  return error instanceof Error ? error.message : String(error)
}

serve().catch((error: unknown) => {
  process.stderr.write(`kobold-simulator: ${explain(error)}\n`)
  process.exitCode = 1
})
