// What `npm start` runs after install and build, in the folder of the workspace: the server, on a real KoboldCPP where
// one is named, else on the built-in simulator. With `--once` it asks one question, prints the answer and ends.
// Further arguments go to `ai-ticket-server`, or with `--once` to `ai-ticket ask`.

const SAMPLE_PROMPT = 'Say in one sentence what an LLM server does.'
const SIMULATOR_MODEL = 'koboldcpp/ai-ticket-simulator'

const once = process.argv.includes('--once')
const rest = process.argv.slice(2).filter((argument) => argument !== '--once')

if (!namesBackends() && !rest.includes('--help') && !rest.includes('--version')) {
  const { startKoboldSimulator } = await import('../testkit/dist/index.js')
  const simulator = await startKoboldSimulator({ model: SIMULATOR_MODEL, recordCalls: false })
  process.env.KOBOLDCPP_API_URL = simulator.url
  process.stderr.write(
    'No KoboldCPP configured: answers come from the built-in simulator, not from a model.\n' +
      'To use a real one: KOBOLDCPP_API_URL=http://localhost:5001 npm start\n',
  )
}

// Both bins read their arguments from here.
process.argv.splice(2, Number.POSITIVE_INFINITY, ...(once ? ['ask', ...rest, SAMPLE_PROMPT] : rest))
if (once) await import('../ai-ticket-server/dist/cli.js')
else await import('../ai-ticket-server/dist/serve.js')

function namesBackends() {
  const flags = rest.some((argument) => /^--(kobold-url|config)(=|$)/.test(argument))
  return flags || Boolean(process.env.KOBOLDCPP_API_URL) || Boolean(process.env.AI_TICKET_CONFIG)
}
