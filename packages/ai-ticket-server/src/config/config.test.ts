import { createKoboldBackend } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { addressOf } from './backend-config.ts'
import { type ConfigSources, exposureProblems, resolveConfig, servingProblems } from './config.ts'
import { ConfigFileSchema } from './config-schema.ts'

const SECRET = 'sk-very-secret'

const resolve = (sources: Partial<ConfigSources>) => resolveConfig({ flags: {}, environment: {}, ...sources })

function accepted(sources: Partial<ConfigSources>) {
  const result = resolve(sources)
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'))
  return result.value
}

function refused(sources: Partial<ConfigSources>): string[] {
  const result = resolve(sources)
  return result.ok ? [] : result.problems.map(({ message }) => message)
}

const file = (content: unknown) => ({
  name: 'desk.json',
  text: typeof content === 'string' ? content : JSON.stringify(content),
})

/** Keys of the file. */
const KNOWN = Object.keys(ConfigFileSchema.entries).join(', ')

const llama = { name: 'local', type: 'llama', model_path: 'models/tiny.gguf' }
const kobold = { name: 'box', type: 'kobold', url: 'http://box:5001' }

const template = {
  system: ['<s>', ''],
  user: ['<u>', ''],
  assistant: ['<a>', ''],
  tool: ['<t>', ''],
  stop: ['<u>'],
}

test('nothing given: the documented defaults', () => {
  const { config, origins, warnings } = accepted({})
  expect(config).toEqual({
    server: '',
    host: '127.0.0.1',
    port: 5000,
    logLevel: 'info',
    dataDir: './.ai-ticket',
    databaseUrl: '',
    worker: '',
    metrics: true,
    console: true,
    consoleLabel: '',
    consoleTheme: '',
    consoleTokens: {},
    history: 'full',
    keepDays: 7,
    keepFailedDays: 30,
    keepTickets: 0,
    callbackAllow: [],
    callbackSecrets: [],
    callbackPrivate: [],
    callbackBody: 'thin',
    apiKeys: [],
    allowAnonymous: false,
    allowedHosts: [],
    corsOrigins: [],
    rateLimit: 'off',
    priorities: {},
    bodyLimitBytes: 16_777_216,
    bodyBudgetBytes: 134_217_728,
    drainMs: 25_000,
    contextPolicy: 'refuse',
    backends: [{ name: 'kobold', type: 'kobold', url: 'http://localhost:5001/api' }],
    tuning: {},
  })
  expect(new Set(Object.values(origins).map(({ kind }) => kind))).toEqual(new Set(['default']))
  expect(warnings).toEqual([])
})

test('flags win over variables, variables over the file, the file over defaults', () => {
  const { config, origins } = accepted({
    flags: { '--port': '1' },
    environment: { PORT: '2', LOG_LEVEL: 'WARNING' },
    file: file({ port: 3, log_level: 'error', drain_ms: 10 }),
  })
  expect(config).toMatchObject({ port: 1, logLevel: 'WARNING', drainMs: 10, host: '127.0.0.1' })
  expect(origins).toMatchObject({
    port: { kind: 'flag', name: '--port' },
    logLevel: { kind: 'environment', name: 'LOG_LEVEL' },
    drainMs: { kind: 'file', name: 'desk.json' },
    host: { kind: 'default' },
  })
})

test('a variable of the file .env says so, and is corrected there', () => {
  const dotEnv = new Set(['PORT', 'KOBOLDCPP_API_URL', 'OTHER'])
  const environment = { PORT: '81', KOBOLDCPP_API_URL: 'http://a:5001', LOG_LEVEL: 'error', OTHER: 'x' }
  const { origins, notes } = accepted({ environment, dotEnv })
  expect(origins).toMatchObject({
    port: { kind: 'environment', name: 'PORT in .env' },
    backends: { kind: 'environment', name: 'KOBOLDCPP_API_URL in .env' },
    logLevel: { kind: 'environment', name: 'LOG_LEVEL' },
  })
  expect(notes).toEqual(['The file .env sets PORT, KOBOLDCPP_API_URL.'])
  expect(refused({ environment: { PORT: 'many' }, dotEnv })).toEqual([
    expect.stringMatching(/^PORT in \.env is a text, but must be a whole number/),
  ])
})

test('a bare DATABASE_URL is that of somebody else, and only mentioned', () => {
  const url = `postgres://user:${SECRET}@host/other`
  const { config, notes } = accepted({ environment: { DATABASE_URL: url } })
  expect(config.databaseUrl).toBe('')
  expect(notes).toEqual([
    'DATABASE_URL is set and not used. If it is the database for tickets, call it AI_TICKET_DATABASE_URL.',
  ])
  const ours = accepted({ environment: { DATABASE_URL: url, AI_TICKET_DATABASE_URL: 'postgres://a/b' } })
  expect(ours).toMatchObject({ config: { databaseUrl: 'postgres://a/b' }, notes: [] })
})

test('what happens to long prompts: the variable over the file, the file over the default', () => {
  const asked = { file: file({ context_policy: 'drop_oldest' }) }
  expect(accepted(asked).config.contextPolicy).toBe('drop_oldest')
  const environment = { AI_TICKET_CONTEXT_POLICY: 'off' }
  expect(accepted({ ...asked, environment }).config.contextPolicy).toBe('off')
})

test('a model in this process needs no address, and takes a template like any other', () => {
  const backend = { ...llama, gpu: false, threads: 2, context_size: 512, template }
  expect(accepted({ file: file({ backends: [backend] }) }).config.backends).toEqual([backend])
})

test('a variable that is empty, as compose files leave it, counts as unset', () => {
  const { config } = accepted({ environment: { PORT: '', KOBOLDCPP_API_URL: ' ', KOBOLDCPP_API_KEY: '' } })
  expect(config.port).toBe(5000)
  expect(config.backends).toEqual([{ name: 'kobold', type: 'kobold', url: 'http://localhost:5001/api' }])
})

test('several addresses make numbered backends, with one key for all or one for each', () => {
  const urls = 'http://a:5001, http://b:5001/api/,'
  const backends = (environment: Record<string, string>) => accepted({ environment }).config.backends
  expect(backends({ KOBOLDCPP_API_URL: urls, KOBOLDCPP_API_KEY: 'one' })).toEqual([
    { name: 'kobold-1', type: 'kobold', url: 'http://a:5001', api_key: 'one' },
    { name: 'kobold-2', type: 'kobold', url: 'http://b:5001/api/', api_key: 'one' },
  ])
  expect(backends({ KOBOLDCPP_API_URL: urls, KOBOLDCPP_API_KEY: 'one,two' })).toMatchObject([
    { api_key: 'one' },
    { api_key: 'two' },
  ])
})

test('an address may come without its scheme', () => {
  const { config } = accepted({ flags: { '--kobold-url': 'localhost:5001,gpu/api' } })
  expect(config.backends.map(addressOf)).toEqual(['localhost:5001', 'gpu/api'])
})

test('servers of any kind are named without a file, each with a name by its kind', () => {
  const named = '--backend'
  const text = 'openai=http://localhost:11434#qwen3:8b,http://a:5001,kobold=b:5001#tiny,openai=gpu:8080/v1'
  const { config, origins } = accepted({
    flags: { [named]: text },
    environment: { KOBOLDCPP_API_KEY: 'one,two', KOBOLDCPP_API_URL: 'http://not-asked:1' },
  })
  expect(config.backends).toEqual([
    { name: 'openai-1', type: 'openai', url: 'http://localhost:11434', model: 'qwen3:8b' },
    { name: 'kobold-1', type: 'kobold', url: 'http://a:5001', api_key: 'one' },
    { name: 'kobold-2', type: 'kobold', url: 'b:5001', model: 'tiny', api_key: 'two' },
    { name: 'openai-2', type: 'openai', url: 'gpu:8080/v1' },
  ])
  expect(origins.backends).toEqual({ kind: 'flag', name: named })
})

test('both variables together name the backends', () => {
  const environment = { AI_TICKET_BACKENDS: 'openai=http://b:8080', KOBOLDCPP_API_URL: 'http://a:5001' }
  const { config, origins } = accepted({ environment, file: file({ backends: [kobold] }) })
  expect(config.backends.map(({ name }) => name)).toEqual(['kobold', 'openai'])
  expect(origins.backends).toEqual({ kind: 'environment', name: 'KOBOLDCPP_API_URL and AI_TICKET_BACKENDS' })
})

test.each([
  [
    'ollama=http://localhost:11434',
    '--backend[0] is of the kind "ollama", but must be kobold=http://… or openai=',
  ],
  ...['constructor', 'toString', '__proto__'].map((kind): [string, string] => [
    `${kind}=http://localhost:11434`,
    '--backend[0] is ',
  ]),
  ['a:1,openai=http://b?x', '--backend[1] is a text, but must be an address without a query'],
  ['openai=', '--backend[0] is an empty text, but must be an http or https address'],
  [
    'kobold=http://user:secret@a',
    '--backend[0] is a text, but must be an http or https address without user',
  ],
])('--backend %s is refused', (text, message) => {
  const problems = refused({ flags: { '--backend': text } })
  expect(problems).toEqual([expect.stringContaining(message)])
  expect(problems.join()).not.toContain('secret')
})

test('addresses from outside replace the backends of the file', () => {
  const { config, origins } = accepted({
    environment: { KOBOLDCPP_API_URL: 'http://a:5001' },
    file: file({ backends: [kobold] }),
  })
  expect(config.backends.map(({ name }) => name)).toEqual(['kobold'])
  expect(origins.backends).toEqual({ kind: 'environment', name: 'KOBOLDCPP_API_URL' })
})

test('the file describes backends and the numbers of the desk', () => {
  const { config, keyOrigins } = accepted({
    environment: { BOX_KEY: SECRET },
    file: file({
      backends: [{ ...kobold, api_key_env: 'BOX_KEY', aliases: { writer: 'big-q4' }, concurrency: 2 }],
      retries: { attempts: 5 },
      line: { capacity: 10 },
      timeouts: { event_ms: 1000 },
    }),
  })
  expect(config.backends).toEqual([
    { ...kobold, aliases: { writer: 'big-q4' }, concurrency: 2, api_key: SECRET },
  ])
  expect(keyOrigins).toEqual({ box: { kind: 'environment', name: 'BOX_KEY' } })
  expect(config.tuning).toEqual({ attempts: 5, lineCapacity: 10, timeoutMs: 1000 })
})

test.each<[problem: string, sources: Partial<ConfigSources>, message: string]>([
  [
    'a port that is no number',
    { environment: { PORT: 'http' } },
    'PORT is a text, but must be a whole number from 0 to 65535. Correct it, or unset it for the default.',
  ],
  [
    'a port beyond the range',
    { flags: { '--port': '70000' } },
    '--port is the number 70000, but must be a whole number from 0 to 65535. Correct it, or leave --port out for the default.',
  ],
  [
    'a port with a fraction',
    { environment: { PORT: '1.5' } },
    'PORT is the number 1.5, but must be a whole number from 0 to 65535. Correct it, or unset it for the default.',
  ],
  [
    'a flag without its value',
    { flags: { '--host': '' } },
    '--host is an empty text, but must be a host name or address. Correct it, or leave --host out for the default.',
  ],
  [
    'an unknown log level',
    { environment: { LOG_LEVEL: 'loud' } },
    'LOG_LEVEL is a text, but must be one of silent, error, warning, info, debug. Correct it, or unset it for the default.',
  ],
  [
    'a switch that is neither true nor false',
    { environment: { AI_TICKET_ALLOW_ANONYMOUS: 'maybe' } },
    'AI_TICKET_ALLOW_ANONYMOUS is a text, but must be true or false. Correct it, or unset it for the default.',
  ],
  [
    'a body limit with a unit',
    { environment: { AI_TICKET_BODY_LIMIT: '16MB' } },
    'AI_TICKET_BODY_LIMIT is a text, but must be a whole number from 1024 to 32000000 (bytes). Correct it, or unset it for the default.',
  ],
  [
    'a negative drain time',
    { environment: { AI_TICKET_DRAIN_MS: '-1' } },
    'AI_TICKET_DRAIN_MS is the number -1, but must be a whole number from 0 to 86400000 (milliseconds). Correct it, or unset it for the default.',
  ],
  [
    'keys that are only commas',
    { environment: { AI_TICKET_API_KEYS: ',' } },
    'AI_TICKET_API_KEYS is a list of 0, but must be one or more keys, comma separated: <key>, <name>=<key> or <name>:<scope>+<scope>=<key>. Correct it, or unset it for the default.',
  ],
  [
    'a key that no header can carry',
    { environment: { AI_TICKET_API_KEYS: `good,${SECRET} ü` } },
    'AI_TICKET_API_KEYS[1].key is a text, but must be a key of visible ASCII characters, or sha256: and the 64 hexadecimal digits of its digest. Correct it, or unset it for the default.',
  ],
  [
    'an address with another scheme',
    { environment: { KOBOLDCPP_API_URL: 'http://a:5001,ftp://localhost:5001' } },
    'KOBOLDCPP_API_URL[1] is a text, but must be an http or https address without user and password, like http://localhost:5001. Correct it, or unset it for the default.',
  ],
  [
    'an address with a password in it',
    { flags: { '--kobold-url': `http://me:${SECRET}@box:5001` } },
    '--kobold-url[0] is a text, but must be an http or https address without user and password, like http://localhost:5001. Correct it, or leave --kobold-url out for the default.',
  ],
  [
    'an address with an impossible port',
    { file: file({ backends: [{ ...kobold, url: 'http://box:99999' }] }) },
    'backends[0].url in desk.json is a text, but must be an http or https address without user and password, like http://localhost:5001. Correct it, or remove it for the default.',
  ],
  [
    'no address at all',
    { environment: { KOBOLDCPP_API_URL: ',' } },
    'KOBOLDCPP_API_URL is an empty text, but must be an http or https address without user and password, like http://localhost:5001. Correct it, or unset it for the default.',
  ],
  [
    'two keys for three addresses',
    { environment: { KOBOLDCPP_API_URL: 'http://a,http://b,http://c', KOBOLDCPP_API_KEY: `${SECRET},x` } },
    'KOBOLDCPP_API_KEY holds 2 keys for 3 addresses. Give one for all, or one for each, in the same order.',
  ],
  [
    'a key that the server could not be sent',
    { environment: { KOBOLDCPP_API_KEY: `${SECRET} ü` } },
    'KOBOLDCPP_API_KEY holds a key with characters that a header cannot carry. Use visible ASCII characters only.',
  ],
  [
    'a timeout of a backend that is no number',
    { file: file({ backends: [{ ...kobold, timeouts: { token_ms: '60s' } }] }) },
    'backends[0].timeouts.token_ms in desk.json is a text, but must be a whole number from 1 to 86400000 (milliseconds). Correct it, or remove it for the default.',
  ],
  [
    'a file that is no JSON',
    { file: file(`{ "port": ${SECRET} }`) },
    'desk.json is not valid JSON. Correct it; comments and a comma at the end are allowed.',
  ],
  [
    'a file that is a list',
    { file: file([]) },
    'desk.json holds a list, but must hold an object with settings. Put them between braces.',
  ],
  [
    'an unknown key',
    { file: file({ prot: 5000 }) },
    `prot in desk.json is not a known key. Did you mean "port"? Known here: ${KNOWN}.`,
  ],
  [
    'a secret in the file',
    { file: file({ api_keys: [SECRET] }) },
    'api_keys[0] in desk.json is a text, but must be an API key, which is an object with name and key_env or sha256. Correct it, or remove it for the default.',
  ],
  [
    'a prototype for a key',
    { file: file('{ "__proto__": {} }') },
    `__proto__ in desk.json is not a known key. Known here: ${KNOWN}.`,
  ],
  [
    'a number as text in the file',
    { file: file({ port: '5000' }) },
    'port in desk.json is a text, but must be a whole number from 0 to 65535. Correct it, or remove it for the default.',
  ],
  [
    'null in the file',
    { file: file({ host: null }) },
    'host in desk.json is null, but must be a host name or address. Correct it, or remove it for the default.',
  ],
  [
    'no backends in the list',
    { file: file({ backends: [] }) },
    'backends in desk.json is a list of 0, but must be a list of at least one backend. Correct it, or remove it for the default.',
  ],
  [
    'an unknown kind of backend',
    { file: file({ backends: [{ ...kobold, type: 'koboldcpp' }] }) },
    'backends[0].type in desk.json is a text, but must be "kobold" or "openai" or "llama". Correct it, or remove it for the default.',
  ],
  [
    'a backend without an address',
    { file: file({ backends: [{ name: 'box', type: 'kobold' }] }) },
    'backends[0].url in desk.json is missing; add it to the backend of type "kobold".',
  ],
  [
    'a query in the address of an OpenAI-compatible server',
    { file: file({ backends: [{ ...kobold, type: 'openai', url: 'http://box/v1?version=1' }] }) },
    'backends[0].url in desk.json is a text, but must be an address without a query, like http://localhost:8080/v1. Correct it, or remove it for the default.',
  ],
  [
    'a misspelt key of a backend',
    { file: file({ backends: [{ ...kobold, concurency: 2 }] }) },
    'backends[0].concurency in desk.json is not a known key. Did you mean "concurrency"? Known here: type, name, aliases, concurrency, warm_prompts, template, url, api_key_env, model, timeouts.',
  ],
  [
    'no slots',
    { file: file({ backends: [{ ...kobold, concurrency: 0 }] }) },
    'backends[0].concurrency in desk.json is the number 0, but must be a whole number from 1 to 1024. Correct it, or remove it for the default.',
  ],
  [
    'aliases that are a list of names',
    { file: file({ backends: [{ ...kobold, aliases: ['fast'] }] }) },
    'backends[0].aliases.0 in desk.json is a text, but must be an object of names and models, like { "fast": "tiny-q4" }. Correct it, or remove it for the default.',
  ],
  [
    'a template with a tag missing',
    { file: file({ backends: [{ ...kobold, template: { ...template, user: ['only one'] } }] }) },
    'backends[0].template.user[1] in desk.json is missing, but must be a list of two texts: what stands before a turn and after it. Correct it, or remove it for the default.',
  ],
  [
    'a template whose tags are one text',
    { file: file({ backends: [{ ...kobold, template: { ...template, user: '<u>' } }] }) },
    'backends[0].template.user in desk.json is a text, but must be a list of two texts: what stands before a turn and after it. Correct it, or remove it for the default.',
  ],
  [
    'half a template',
    { file: file({ backends: [{ ...kobold, template: { ...template, stop: undefined } }] }) },
    'backends[0].template.stop in desk.json is missing; add it to the object "template".',
  ],
  [
    'an unknown policy for long prompts in the file',
    { file: file({ context_policy: 'cut' }) },
    'context_policy in desk.json is a text, but must be refuse, drop_oldest, cut_left or off. Correct it, or remove it for the default.',
  ],
  [
    'an unknown policy for long prompts in a variable',
    { environment: { AI_TICKET_CONTEXT_POLICY: 'cut' } },
    'AI_TICKET_CONTEXT_POLICY is a text, but must be refuse, drop_oldest, cut_left or off. Correct it, or unset it for the default.',
  ],
  [
    'a model in this process without its file',
    { file: file({ backends: [{ ...llama, model_path: undefined }] }) },
    'backends[0].model_path in desk.json is missing; add it to the backend of type "llama".',
  ],
  [
    'an address for a model in this process',
    { file: file({ backends: [{ ...llama, url: 'http://box:5001' }] }) },
    'backends[0].url in desk.json is not a known key. Known here: type, name, aliases, concurrency, warm_prompts, template, model_path, model, context_size, gpu, threads, chat_template.',
  ],
  [
    'a model path that is a number',
    { file: file({ backends: [{ ...llama, model_path: 7 }] }) },
    'backends[0].model_path in desk.json is the number 7, but must be the path of a GGUF file. Correct it, or remove it for the default.',
  ],
  [
    'a graphics card that is only true',
    { file: file({ backends: [{ ...llama, gpu: true }] }) },
    'backends[0].gpu in desk.json is true, but must be "auto", "metal", "cuda", "vulkan" or false. Correct it, or remove it for the default.',
  ],
  [
    'half a thread',
    { file: file({ backends: [{ ...llama, threads: 0.5 }] }) },
    'backends[0].threads in desk.json is the number 0.5, but must be a whole number from 1 to 1024. Correct it, or remove it for the default.',
  ],
  [
    'a context of nothing',
    { file: file({ backends: [{ ...llama, context_size: 0 }] }) },
    'backends[0].context_size in desk.json is the number 0, but must be a whole number from 1 to 100000000. Correct it, or remove it for the default.',
  ],
  [
    'two backends of one name',
    { file: file({ backends: [kobold, kobold] }) },
    'backends[1].name in desk.json is the name of an earlier backend, too. Give each backend its own name.',
  ],
  [
    'a key variable that is not set',
    { file: file({ backends: [{ ...kobold, api_key_env: 'BOX_KEY' }] }) },
    'backends[0].api_key_env in desk.json names the variable BOX_KEY, which is not set. Set it, or remove the line.',
  ],
  [
    'a number of the desk out of range',
    { file: file({ retries: { attempts: 0 } }) },
    'retries.attempts in desk.json is the number 0, but must be a whole number from 1 to 100. Correct it, or remove it for the default.',
  ],
  [
    'a group that is no object',
    { file: file({ line: 5 }) },
    'line in desk.json is the number 5, but must be the object "line". Correct it, or remove it for the default.',
  ],
])('%s is refused, and the message names key, type and remedy', (_problem, sources, message) => {
  expect(refused(sources)).toEqual([message])
})

test.each([
  ...[
    'localhost',
    'gpu-1:5001',
    'kobold_1:5001/api',
    'bücher.example',
    '[::1]:5001',
    'http://[fd00::1]/api/',
  ],
  ...['HTTPS://Box.example:5001', 'http:5001', 'localhost.', 'http://box/a@b', '127.0.0.1:5001?x=1'],
])('%s is an address, to the configuration and to the backend that opens it', (url) => {
  const { config } = accepted({ environment: { KOBOLDCPP_API_URL: url } })
  expect(config.backends.map(addressOf)).toEqual([url])
  expect(() => createKoboldBackend({ url })).not.toThrow()
})

test.each([
  ...['http:/127.0.0.1:5001', 'http:127.0.0.1', 'http//127.0.0.1', 'https:\\\\box', 'http:///box', 'http://'],
  ...[
    'http+unix://%2Frun%2Fkobold.sock',
    'unix:/run/kobold.sock',
    'ws://box',
    'ht-tp://box',
    '/run/kobold.sock',
  ],
  ...[
    '"http://127.0.0.1:5001',
    'http://127.0.0.1:5001"',
    'http://box/api"',
    '“box”',
    '<http://box>',
    'b%6fx',
  ],
  ...[
    'http://$HOST:5001',
    'http://{box}:5001',
    'http://box:port',
    'http://box:',
    'http://http://box',
    '-box',
  ],
])('%s is no address', (url) => {
  const expected = 'must be an http or https address without user and password, like http://localhost:5001.'
  expect(refused({ flags: { '--kobold-url': url } })).toEqual([expect.stringContaining(expected)])
  expect(refused({ environment: { KOBOLDCPP_API_URL: url } })).toEqual([expect.stringContaining(expected)])
  expect(refused({ file: file({ backends: [{ ...kobold, url }] }) })).toEqual([
    expect.stringContaining(expected),
  ])
})

test.each([
  ['KOBOLDCPP_API_URL', '"http://127.0.0.1:5001"'],
  ['KOBOLDCPP_API_URL', "'http://a:5001,http://b:5001'"],
  ['KOBOLDCPP_API_KEY', `"${SECRET}"`],
  ['AI_TICKET_API_KEYS', `'ci=${SECRET}'`],
  ['AI_TICKET_DATA_DIR', '"/data"'],
  ['PORT', '"5000"'],
  ['HOST', '`127.0.0.1`'],
  ['LOG_LEVEL', '""'],
  ['BOX_KEY', ` "${SECRET}" `],
])('%s with quotation marks around it is refused once, by its name', (name, value) => {
  const listed = file({ backends: [{ ...kobold, api_key_env: 'BOX_KEY' }] })
  expect(refused({ environment: { BOX_KEY: 'x', [name]: value }, file: listed })).toEqual([
    `${name} has quotation marks around its value. Remove them: docker --env-file and some other programs pass them on as part of the value.`,
  ])
})

test('quotation marks in a variable of others are none of our business', () => {
  expect(accepted({ environment: { PS1: '"$ "' } }).warnings).toEqual([])
})

test('all problems are said at once, and no message holds a secret', () => {
  const messages = refused({
    flags: { '--port': SECRET },
    environment: { AI_TICKET_DRAIN_MS: SECRET, KOBOLDCPP_API_URL: `http://${SECRET}@`, LOG_LEVEL: SECRET },
    file: file({ host: 5, line: { capacity: SECRET } }),
  })
  expect(messages).toHaveLength(6)
  expect(messages.join('\n')).not.toContain(SECRET)
})

const exposed = (environment: Record<string, string>) =>
  exposureProblems(accepted({ environment })).map(({ message }) => message)

const OPEN =
  'is an address that others can reach, and no API keys are set. Set AI_TICKET_API_KEYS to one or more keys, or AI_TICKET_ALLOW_ANONYMOUS=true to serve anybody, or listen on 127.0.0.1.'

test.each(['0.0.0.0', '::', '192.168.1.5', 'desk.lan', 'x86_64-conda-linux-gnu'])(
  'listening on %s wants keys, or a word that none are wanted',
  (HOST) => {
    expect(exposed({ HOST })).toEqual([`HOST ${OPEN} If you did not set HOST yourself, unset it.`])
    expect(exposed({ HOST, AI_TICKET_API_KEYS: 'a,b' })).toEqual([])
    expect(exposed({ HOST, AI_TICKET_ALLOW_ANONYMOUS: 'true' })).toEqual([])
  },
)

test.each([
  ...['[::1]', 'http://127.0.0.1', '127.0.0.1:5000', 'desk.lan:5000', '::g', '*', 'a b'].map((HOST) => ({
    HOST,
  })),
  ...['http://desk.lan', '*', 'a.lan,*.lan', 'a b'].map((names) => ({ AI_TICKET_ALLOWED_HOSTS: names })),
  { AI_TICKET_PRIORITIES: 'kobold=1=2' },
  ...['#', '/', '?'].map((mark) => ({ AI_TICKET_DATABASE_URL: `postgres://me:SECRET${mark}x@db:5432/a` })),
  { AI_TICKET_DATABASE_URL: 'postgres://me:12#x@db:5432/a' },
  { AI_TICKET_DATABASE_URL: 'postgres://me@db:99999/a' },
])('%j is refused at the start', (environment) => {
  const problems = refused({ environment: { AI_TICKET_ALLOW_ANONYMOUS: 'true', ...environment } })
  expect(problems).toEqual([expect.stringMatching(/ must be .* Correct it, or unset it for the default\.$/)])
  expect(problems.join()).not.toContain('SECRET')
})

test.each(['::', '::1', 'fe80::1%eth0', 'x86_64-conda-linux-gnu', 'desk.lan'])(
  'the host %s is taken',
  (host) => {
    expect(accepted({ environment: { HOST: host } }).config.host).toBe(host)
  },
)

test.each<[place: string, sources: Partial<ConfigSources>]>([
  ['--host', { flags: { '--host': '0.0.0.0' }, environment: { HOST: 'desk.lan' } }],
  ['host in desk.json', { file: file({ host: '0.0.0.0' }) }],
])('an open address is named as %s where it was given there', (place, sources) => {
  const messages = exposureProblems(accepted(sources)).map(({ message }) => message)
  expect(messages).toEqual([`${place} ${OPEN}`])
})

test.each(['::1', 'localhost', '127.1.2.3'])('%s needs no key', (HOST) => {
  expect(exposed({ HOST })).toEqual([])
})

test.each(['*', 'null', 'https://app.example.com/', 'https://App.example.com', 'app.example.com'])(
  'a page may not come from "%s"',
  (origin) => {
    const environment = { AI_TICKET_CORS_ORIGINS: `http://localhost:3000,${origin}` }
    expect(refused({ environment })).toEqual([expect.stringMatching(/AI_TICKET_CORS_ORIGINS.*origins like/)])
  },
)

test('the origins of pages', () => {
  const environment = { AI_TICKET_CORS_ORIGINS: 'https://app.example.com, app://obsidian.md' }
  expect(accepted({ environment }).config.corsOrigins).toEqual([
    'https://app.example.com',
    'app://obsidian.md',
  ])
})

test('callbacks that are allowed want a secret', () => {
  const allow = { AI_TICKET_CALLBACK_ALLOW: 'https://hooks.example.com/*, http://lan.example' }
  const resolved = accepted({ environment: allow })
  expect(resolved.config.callbackAllow).toEqual(['https://hooks.example.com/*', 'http://lan.example'])
  expect(servingProblems(resolved).map(({ message }) => message)).toEqual([
    'AI_TICKET_CALLBACK_ALLOW is set, but there is no secret to sign callbacks with. Set AI_TICKET_CALLBACK_SECRET, for example to what `echo whsec_$(openssl rand -base64 32)` prints, or unset AI_TICKET_CALLBACK_ALLOW.',
  ])
  const secret = { AI_TICKET_CALLBACK_SECRET: `whsec_${'a'.repeat(40)}` }
  expect(servingProblems(accepted({ environment: { ...allow, ...secret } }))).toEqual([])
  expect(servingProblems(accepted({ environment: secret }))).toEqual([])
  const inFile = accepted({ file: file({ callback_allow: ['https://hooks.example.com/*'] }) })
  expect(servingProblems(inFile).map(({ message }) => message)).toEqual([
    expect.stringMatching(
      /^callback_allow in desk\.json is set, .* or unset callback_allow in desk\.json\.$/,
    ),
  ])
})

test.each([
  [
    { KOBOLDCPP_API_URL: 'http://localhost:5000/api' },
    /^The backend kobold .* in KOBOLDCPP_API_URL, .* --port 5005$/,
  ],
  [{ PORT: '5001' }, /^The backend kobold .* \(port 5001\), .* --port 5000$/],
  [{ HOST: '0.0.0.0', AI_TICKET_ALLOW_ANONYMOUS: 'true', KOBOLDCPP_API_URL: 'http://[::1]:5000' }, /kobold/],
  [{ PORT: '80', AI_TICKET_BACKENDS: 'openai=http://127.0.0.1/v1' }, /^The backend openai /],
])('a server is not its own backend: %j', (environment, message) => {
  expect(servingProblems(accepted({ environment })).map((one) => one.message)).toEqual([
    expect.stringMatching(message),
  ])
})

test.each([
  {},
  { KOBOLDCPP_API_URL: 'http://192.168.1.5:5000' },
  { HOST: '192.168.1.4', AI_TICKET_ALLOW_ANONYMOUS: 'true', KOBOLDCPP_API_URL: 'http://localhost:5000' },
  { PORT: '0', KOBOLDCPP_API_URL: 'http://localhost:5000' },
])('another machine or another port is another server: %j', (environment) => {
  expect(servingProblems(accepted({ environment }))).toEqual([])
})

test.each([
  [
    'AI_TICKET_CALLBACK_ALLOW',
    'https://hooks.example.com/*,hooks.example.com',
    'https://hooks.example.com/*',
  ],
  ['AI_TICKET_CALLBACK_PRIVATE', '10.0.0.0/99', '192.168.0.0/16'],
  ['AI_TICKET_CALLBACK_SECRET', `whsec_${SECRET}`, 'whsec_ and 24 to 64 bytes as base64'],
  ['AI_TICKET_CALLBACK_BODY', 'fat', 'thin or full'],
])('%s has to be readable, and the message says how', (name, text, expected) => {
  const [message] = refused({ environment: { [name]: text } })
  expect(message).toMatch(new RegExp(`^${name}.* must be `))
  expect(message).toContain(expected)
  expect(message).not.toContain(SECRET)
})

test('an unknown variable of ours is a warning with a suggestion', () => {
  const { warnings } = accepted({
    environment: {
      AI_TICKET_DRAIN: '1',
      AI_TICKET_PORT: '1',
      AITICKET_CONFIG: 'x',
      KOBOLDCPP_API_KEYS: 'x',
      HOME: '/',
    },
  })
  expect(warnings).toEqual([
    'AI_TICKET_DRAIN is not a known variable and is ignored. Did you mean "AI_TICKET_DRAIN_MS"?',
    'AI_TICKET_PORT is not a known variable and is ignored. Did you mean "PORT"?',
    'AITICKET_CONFIG is not a known variable and is ignored. Did you mean "AI_TICKET_CONFIG"?',
    'KOBOLDCPP_API_KEYS is not a known variable and is ignored. Did you mean "KOBOLDCPP_API_KEY"?',
  ])
})

test('a key in the environment that no backend uses is a warning', () => {
  const { warnings } = accepted({
    environment: { KOBOLDCPP_API_KEY: SECRET },
    file: file({ backends: [kobold] }),
  })
  expect(warnings).toEqual([
    'KOBOLDCPP_API_KEY is not used: the backends come from desk.json, where "api_key_env" names the variable of each.',
  ])
})
