import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelPath, whyNot } from '../../llama/test/model-path.ts'
import { CLI, runProgram, SERVER, startServer } from './run-program.ts'

const there = existsSync(modelPath)

function configFile(backend: object): string {
  const path = join(mkdtempSync(join(tmpdir(), 'ai-ticket-llama-')), 'desk.json')
  writeFileSync(path, JSON.stringify({ backends: [{ name: 'local', ...backend }] }))
  return path
}

const llama = (model_path: string) => configFile({ type: 'llama', model_path, gpu: false, threads: 1 })

/** Says on stderr which files of the package are loaded. */
const WATCH = `import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    if (/llama/.test(url)) process.stderr.write('loaded ' + url + '\\n')
    return next(url, context)
  },
})`
const environment = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(WATCH)}` }

test('a model file that is not there ends the start with what to correct', async () => {
  const { code, stderr } = await runProgram(SERVER, ['--config', llama('/nowhere/tiny.gguf')], {
    environment,
  })
  expect(stderr).toContain(
    'The backend "local" cannot be opened: The model /nowhere/tiny.gguf could not be loaded',
  )
  expect(stderr).toMatch(/^loaded .*llama/)
  expect(code).toBe(78)
})

test('who has no model in the process loads nothing of it', async () => {
  const config = configFile({ type: 'kobold', url: 'http://127.0.0.1:9' })
  const { code, stderr } = await runProgram(CLI, ['health', '--config', config], { environment })
  expect(code).toBe(69)
  expect(stderr).not.toMatch(/^loaded /m)
})

test.skipIf(there)(`skipped: ${whyNot}`, () => {})

test.runIf(there)(
  'a server with nothing but a model in its process answers, and ends on SIGTERM',
  async () => {
    await using server = await startServer(['--config', llama(modelPath)])
    const response = await fetch(`${server.url}/event`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"content":"Once upon a time","parameters":{"max_tokens":8}}',
    })
    expect(await response.json()).toMatchObject({ backend: 'local', model: 'stories260K' })
    expect(await server.waitForLine(/^local at .* answers/)).toBeDefined()
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
  },
)
