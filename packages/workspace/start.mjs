// What `npm start` runs after install and build, in the folder of the workspace: the server, on the backends that are
// configured, else on a model server that runs on this machine, else on the built-in simulator. With `--once` it asks one
// question, prints the answer and ends. Further arguments go to `ai-ticket-server`, or with `--once` to `ai-ticket ask`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { findServers } from './find-servers.mjs'

const SAMPLE_PROMPT = 'Say in one sentence what an LLM server does.'
const SIMULATOR_MODEL = 'koboldcpp/ai-ticket-simulator'
const CLI = fileURLToPath(new URL('../ai-ticket-server/dist/cli.js', import.meta.url))
/** Of the models of a server. */
const MOST_NAMED = 5
const ENDS_AT_ONCE = ['--help', '-h', '--version', '-V']

const once = process.argv.includes('--once')
const rest = process.argv.slice(2).filter((argument) => argument !== '--once')

if (!rest.some((argument) => ENDS_AT_ONCE.includes(argument)) && !namesBackends()) {
  process.env.AI_TICKET_BACKENDS = await findBackend()
}

// Both bins read their arguments from here.
process.argv.splice(2, Number.POSITIVE_INFINITY, ...(once ? ['ask', ...rest, SAMPLE_PROMPT] : rest))
if (once) await import('../ai-ticket-server/dist/cli.js')
else await import('../ai-ticket-server/dist/serve.js')

/** Whether a flag, a variable or a file does. A wrong configuration counts: the program says what is wrong with it. */
function namesBackends() {
  if (rest.some((argument) => /^--(kobold-url|backend|server)(=|$)/.test(argument))) return true
  const flag = rest.findIndex((argument) => /^--config(=|$)/.test(argument))
  const file = flag === -1 ? [] : rest.slice(flag, rest[flag] === '--config' ? flag + 2 : flag + 1)
  const shown = spawnSync(process.execPath, [CLI, 'config', 'show', '--json', ...file], { encoding: 'utf8' })
  if (shown.status !== 0) return true
  const values = Object.entries(JSON.parse(shown.stdout))
  return values.some(([key, { origin }]) => /^(backends\.|server$)/.test(key) && origin !== 'default')
}

/** Says what it found. START_PORTS: other ports, for tests, like {"Ollama": 1234}. */
async function findBackend() {
  const servers = await findServers({ ports: JSON.parse(process.env.START_PORTS ?? '{}') })
  for (const { name, url, needs } of servers) if (needs) say(`${name} at ${url} ${needs}.`)
  const [chosen, ...others] = servers.filter(({ needs }) => needs === undefined)
  if (chosen === undefined) return await startSimulator()
  const { name, url, models, backend } = chosen
  say(`Found ${name} at ${url}${models.length > 0 ? ` (${listed(models)})` : ''}.`)
  const [, model] = backend.split('#')
  if (models.length > 1) say(`Events that name no model get ${model}.`)
  for (const other of others)
    say(`Not used: ${other.name} at ${other.url}. To use it: npm start -- --backend ${other.backend}`)
  return backend
}

function listed(models) {
  const more = models.length - MOST_NAMED
  return more > 0 ? `${models.slice(0, MOST_NAMED).join(', ')} and ${more} more` : models.join(', ')
}

async function startSimulator() {
  const { startKoboldSimulator } = await import('../testkit/dist/index.js')
  const simulator = await startKoboldSimulator({ model: SIMULATOR_MODEL, recordCalls: false })
  say('No model server found on this machine: answers come from the built-in simulator, not from a model.')
  say('To use a real one: npm start -- --backend openai=http://localhost:11434 (or kobold=http://gpu-1:5001)')
  return `kobold=${simulator.url}`
}

function say(line) {
  process.stderr.write(`${stripVTControlCharacters(line)}\n`)
}
