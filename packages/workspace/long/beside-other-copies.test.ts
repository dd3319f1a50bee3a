import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { PUBLISHED, packPackage } from '../test/published-packages.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../test/temporary-folder.ts'

// A project that already has copies of what the packages use, older or newer than those they are tested with.

const tarballs = createTemporaryFolder()
afterAll(() => tarballs[Symbol.dispose]())
const packed = await Promise.all(PUBLISHED.map((pkg) => packPackage(pkg, tarballs.path)))
const files = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]))

/** Makes a tracer provider, in the words of one version of OpenTelemetry's SDK. */
const SDK_2 = `
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
`
const SDK_3 = `
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
`

/** Answers an event with an answer of a schema and a span, and prints what came of it. */
const PROGRAM = `
import { trace } from '@opentelemetry/api'
import { createDispatcher } from '@ai-ticket/core'
import { createServer } from '@ai-ticket/http-server'
import * as v from 'valibot'

trace.setGlobalTracerProvider(provider)
const backend = {
  name: 'here',
  endpoints: [{ name: 'only', turns: true, images: false, tools: false, schema: false }],
  async *generate() {
    yield { type: 'end', text: '{"city":"Ulm"}', finish_reason: 'stop', raw_finish_reason: 'stop' }
  },
  probe: async () => ({ models: [] }),
  close: async () => {},
}
const dispatcher = createDispatcher({ backends: [backend] })
const schema = v.object({ city: v.string() })
const { data, error, details } = await dispatcher.onEvent({ content: 'A city?' }, { schema })
const server = createServer({ dispatcher })
const reply = await server.inject({ method: 'POST', url: '/event', payload: { content: 'Hi' } })
await server.close()
await dispatcher.close()
const spans = exporter.getFinishedSpans().map(({ name }) => name)
console.log(JSON.stringify({ data, error, details, status: reply.statusCode, spans }))
`

const OTHER_COPIES = [
  {
    which: 'older',
    sdk: SDK_2,
    copies: {
      '@opentelemetry/api': '1.9.0',
      '@opentelemetry/sdk-trace-base': '2.0.0',
      fastify: '5.3.0',
      undici: '7.10.0',
      valibot: '1.1.0',
    },
  },
  {
    which: 'newest',
    sdk: SDK_3,
    copies: {
      '@opentelemetry/api': '^1.9.0',
      '@opentelemetry/sdk-trace': '^3.0.0',
      fastify: '^5.0.0',
      undici: '*',
      valibot: '^1.0.0',
    },
  },
]

describe.each(OTHER_COPIES)('beside $which copies', ({ copies, sdk }) => {
  const project: TemporaryFolder = createTemporaryFolder()
  afterAll(() => project[Symbol.dispose]())
  const run = (program: string, args: readonly string[]) =>
    promisify(execFile)(program, args, { cwd: project.path })

  test('npm installs without a complaint, and events are answered, checked and traced', async () => {
    const manifest = {
      name: 'somebody-else',
      private: true,
      type: 'module',
      dependencies: { ...files, ...copies },
      overrides: Object.fromEntries(Object.keys(files).map((name) => [name, `$${name}`])),
    }
    writeFileSync(join(project.path, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(project.path, 'program.js'), sdk + PROGRAM)
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
    const { stdout, stderr } = await run(process.execPath, ['program.js'])
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      data: { city: 'Ulm' },
      status: 200,
      spans: expect.arrayContaining([expect.stringContaining('event')]),
    })
    const tree = JSON.parse(readFileSync(join(project.path, 'node_modules/.package-lock.json'), 'utf8'))
    const apis = Object.keys(tree.packages).filter((path) => path.endsWith('@opentelemetry/api'))
    expect(apis).toEqual(['node_modules/@opentelemetry/api'])
  })
})
