// Finds the model servers that people run on this machine, each at its usual port. A server counts by what it says, not
// by its open port: other programs live on these ports, and AI Ticket itself speaks the dialects of several.

/** In order of preference. */
const KINDS = [
  { name: 'KoboldCPP', port: 5001, kind: 'kobold', look: lookAtKobold },
  { name: 'Ollama', port: 11434, kind: 'openai', look: lookAtOllama },
  { name: 'llama.cpp', port: 8080, kind: 'openai', look: lookAtLlamaCpp },
  { name: 'LM Studio', port: 1234, kind: 'openai', look: lookAtLmStudio },
]

/**
 * All of them have this long, together. Where nobody listens is known at once: only a port that takes the connection and
 * says nothing is waited for, which may be a server whose model has all processors.
 */
const WITHIN_MS = 5000

/**
 * The servers that answer in time, the preferred one first: `{ name, url, backend, models, needs }`. `backend`: as
 * `--backend` takes it. `needs`: what its owner has to do first, in words.
 */
export async function findServers({ ports = {}, withinMs = WITHIN_MS } = {}) {
  const signal = AbortSignal.timeout(withinMs)
  const found = await Promise.all(
    KINDS.map(async ({ name, port, kind, look }) => {
      const url = `http://127.0.0.1:${ports[name] ?? port}`
      const get = (path) => ask(url + path, signal)
      const [answer, ours] = await Promise.all([look(get), isAiTicket(get)])
      if (answer === undefined || ours) return []
      const { models = [], model = '', needs } = answer
      // What `--backend` cannot carry is left out; the server then says what it wants.
      const tail = /^[^\s,#]+$/.test(model) ? `#${model}` : ''
      return [{ name, url, models, needs, backend: `${kind}=${url}${tail}` }]
    }),
  )
  return found.flat()
}

/** What a GET brings; undefined where nobody answers in time. */
async function ask(address, signal) {
  try {
    const response = await fetch(address, { signal, redirect: 'manual' })
    const text = await response.text()
    return { status: response.status, server: response.headers.get('server') ?? '', text, json: parse(text) }
  } catch {
    return undefined
  }
}

/** Never throws: whatever is no object has no fields. */
function parse(text) {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

const listOf = (value) => (Array.isArray(value) ? value.map(Object) : [])

/** Its error to a GET of /event, with or without keys. */
async function isAiTicket(get) {
  const { error, details } = (await get('/event'))?.json ?? {}
  return ['method_not_allowed', 'unauthorised', 'rate_limited'].includes(error) && typeof details === 'string'
}

async function lookAtKobold(get) {
  const version = await get('/api/extra/version')
  if (version?.json.result !== 'KoboldCpp') return undefined
  if (version.json.llm === false) return { needs: 'has no model loaded' }
  const { result } = (await get('/api/v1/model'))?.json ?? {}
  if (result === 'inactive' || result === 'koboldcpp/inactive') return { needs: 'has no model loaded' }
  const isLocked = version.json.protected === true && !process.env.KOBOLDCPP_API_KEY
  if (isLocked) return { needs: 'wants its password: KOBOLDCPP_API_KEY=… npm start' }
  return { models: typeof result === 'string' ? [result] : [] }
}

async function lookAtOllama(get) {
  if (!/^Ollama is running/.test((await get('/'))?.text ?? '')) return undefined
  const [tags, running] = await Promise.all([get('/api/tags'), get('/api/ps')])
  const isWriter = ({ name, details }) => !/embed|bert/i.test(`${name} ${Object(details).family}`)
  const models = listOf(tags?.json.models)
    .filter(isWriter)
    .map(({ name }) => name)
  if (models.length === 0) return { needs: 'has no model yet: ollama pull qwen3:8b' }
  const loaded = listOf(running?.json.models).map(({ name }) => name)
  return { models, model: models.find((name) => loaded.includes(name)) ?? models[0] }
}

async function lookAtLlamaCpp(get) {
  const props = await get('/props')
  const isIt = props?.server === 'llama.cpp' || props?.json.default_generation_settings !== undefined
  if (!isIt) return undefined
  if (props.status === 401) return { needs: 'wants its key: put it into a file with "api_key_env"' }
  const models = listOf((await get('/v1/models'))?.json.data).map(({ id }) => id)
  return { models, model: models.length > 1 ? models[0] : undefined }
}

async function lookAtLmStudio(get) {
  const list = await get('/api/v0/models')
  const entries = listOf(list?.json.data)
  const isIt = entries.some(({ type, state }) => typeof type === 'string' && typeof state === 'string')
  const greets = isIt || (await get('/lmstudio-greeting'))?.json.lmstudio === true
  if (!greets) return undefined
  const writers = entries.filter(({ type }) => type === 'llm' || type === 'vlm')
  if (writers.length === 0) return { needs: 'has no model yet: download one in LM Studio' }
  const loaded = writers.find(({ state }) => state === 'loaded')
  return { models: writers.map(({ id }) => id), model: (loaded ?? writers[0]).id }
}
