import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { eventLines, openBatchFolder } from './batch-folder.ts'
import { CLI, runProgram, startServer } from './run-program.ts'

const simulate = () =>
  startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    answer: ({ messages = [], prompt }) =>
      `To ${(messages as { content: string }[]).at(-1)?.content ?? prompt}`,
  })

const MESSAGES = [{ role: 'user', content: 'Why?' }]
const chat = (custom_id: string, body: object) =>
  JSON.stringify({ custom_id, method: 'POST', url: '/v1/chat/completions', body })

const MIXED = [
  '\uFEFF{"id":"plain","content":"Why?","metadata":{"of":1}}',
  '"A bare text"',
  '',
  chat('chat', { messages: MESSAGES, model: 'default' }),
  JSON.stringify({ custom_id: 'text', url: '/v1/completions', body: { prompt: 'Once' } }),
  'no json',
  chat('wrong', { messages: [] }),
  chat('chat', { messages: MESSAGES }),
  chat('unknown', { messages: MESSAGES, model: 'nobody', n: 2 }),
].join('\r\n')

test.concurrent.each(['in process', 'through a server'])(
  'answers events and OpenAI lines, %s',
  async (mode) => {
    await using simulator = await simulate()
    const environment = { KOBOLDCPP_API_URL: simulator.url }
    await using server = mode === 'in process' ? undefined : await startServer([], environment)
    const args = server === undefined ? [] : ['--server', server.url]
    const batch = await openBatchFolder(MIXED, server === undefined ? environment : {})
    const { code, stdout, stderr } = await batch.run(...args, '--json')
    expect(code).toBe(65)
    expect(JSON.parse(stdout)).toMatchObject({
      lines: 8,
      answered: 4,
      failed: 0,
      refused: 4,
      asked: 4,
      end: 'done',
    })
    expect(stderr).toMatch(/^8 lines: 4 answered, 4 failed, in \d+ s\.$/m)
    const answers = await batch.answers()
    expect(answers).toContainEqual(
      expect.objectContaining({ line: 1, id: 'plain', completion: 'To Why?', metadata: { of: 1 } }),
    )
    expect(answers).toContainEqual(expect.objectContaining({ line: 2, completion: 'To A bare text' }))
    const body = { object: 'chat.completion', choices: [{ message: { content: 'To Why?' } }] }
    expect(answers.find(({ custom_id }) => custom_id === 'chat')).toMatchObject({
      id: expect.stringMatching(/^batch_req_[0-9a-f]+$/),
      response: { status_code: 200, request_id: expect.stringMatching(/^evt_/), body },
      error: null,
    })
    const completion = { object: 'text_completion', choices: [{ text: 'To Once' }] }
    expect(answers.find(({ custom_id }) => custom_id === 'text')).toMatchObject({
      response: { body: completion },
    })
    expect(await batch.errors()).toEqual([
      expect.objectContaining({ line: 6, error: 'invalid_request' }),
      expect.objectContaining({
        custom_id: 'wrong',
        response: expect.objectContaining({ status_code: 400 }),
      }),
      expect.objectContaining({
        custom_id: 'chat',
        error: expect.objectContaining({ code: 'invalid_input_format' }),
      }),
      expect.objectContaining({
        custom_id: 'unknown',
        response: expect.objectContaining({ status_code: 400 }),
      }),
    ])
    expect(JSON.parse((await batch.run(...args, '--json')).stdout)).toMatchObject({
      asked: 0,
      answered: 4,
      refused: 4,
    })
    expect(simulator.calls).toHaveLength(4)
    // A ticket cannot say that a text is to be gone on with.
    const isText = ({ prompt }: { prompt?: unknown }) => prompt === 'Once'
    const texts = simulator.calls.filter(({ body }) => isText(body as { prompt?: unknown }))
    expect(texts).toHaveLength(server === undefined ? 1 : 0)
  },
)

test.concurrent('Ctrl-C finishes what is in hand and says how to go on; meanwhile the output is locked', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 40 })
  const batch = await openBatchFolder(eventLines(500), { KOBOLDCPP_API_URL: simulator.url })
  const { child, ended } = batch.start('--quiet')
  await simulator.waitForCall()
  expect(await batch.run()).toMatchObject({
    code: 75,
    stderr: expect.stringMatching(/^Another run is writing to /m),
  })
  child.kill('SIGINT')
  const { code, stderr } = await ended
  expect(code).toBe(130)
  expect(stderr).toContain(`To go on: ai-ticket batch ${batch.input} -o ${batch.output} --quiet\n`)
  const { length } = simulator.calls
  expect(length).toBeLessThan(500)
  expect(await batch.answers()).toHaveLength(length)
})

test.concurrent('a second Ctrl-C stops the backend and ends it', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 1 })
  const batch = await openBatchFolder(eventLines(5), { KOBOLDCPP_API_URL: simulator.url })
  const { child, ended, said } = batch.start()
  await simulator.waitForCall()
  const stopping = said(/A second signal stops them/)
  child.kill('SIGINT')
  await stopping
  child.kill('SIGINT')
  expect((await ended).code).toBe(130)
  expect(await batch.answers()).toEqual([])
  await simulator.waitFor(({ calls }) => calls.every(({ state }) => state === 'aborted'))
})

test.concurrent('notices an input that is another one, and goes on where that is wanted', async () => {
  await using simulator = await simulate()
  const batch = await openBatchFolder(eventLines(3), { KOBOLDCPP_API_URL: simulator.url })
  expect((await batch.run()).code).toBe(0)
  const former = await readFile(batch.input, 'utf8')
  const changed = `${former.replace('Number 2', 'Number two')}"And one more"\n`
  await writeFile(batch.input, changed)
  const refused = await batch.run()
  expect(refused).toMatchObject({
    code: 65,
    stderr: expect.stringMatching(/^Line 2 of the input is not the line that the output has a result for/),
  })
  expect(simulator.calls).toHaveLength(3)
  expect((await batch.run('--force')).code).toBe(0)
  expect((await batch.answers()).map(({ line }) => line)).toEqual([1, 2, 3, 2, 4])
  expect((await batch.run('--overwrite')).code).toBe(0)
  expect(await batch.answers()).toHaveLength(4)
})

test.concurrent('a line that failed is asked again only with --retry-failed, also when it was mended', async () => {
  await using simulator = await simulate()
  const batch = await openBatchFolder('"One"\n{"content":\n', { KOBOLDCPP_API_URL: simulator.url })
  expect((await batch.run()).code).toBe(65)
  await writeFile(batch.input, '"One"\n{"content":"Two"}\n')
  expect(await batch.run()).toMatchObject({ code: 65, stderr: expect.stringContaining('--retry-failed') })
  expect((await batch.run('--retry-failed')).code).toBe(0)
  expect((await batch.answers()).map(({ line }) => line)).toEqual([1, 2])
  expect(await batch.errors()).toEqual([])
})

test.concurrent('waits for a backend that is away, and says so', async () => {
  await using simulator = await simulate()
  await simulator.stopListening()
  const batch = await openBatchFolder(eventLines(20), {
    KOBOLDCPP_API_URL: simulator.url,
    LOG_LEVEL: 'silent',
  })
  const { ended, said } = batch.start()
  await said(/ Next try in 1 s\n/)
  await simulator.startListening()
  const { code, stderr } = await ended
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/ Next try in 1 s\n(?:.* Next try in \d+ s\n)*20 lines: 20 answered/),
  })
  const impatient = await openBatchFolder('"One"\n', { KOBOLDCPP_API_URL: 'http://127.0.0.1:9' })
  const gaveUp = await impatient.run('--patience', '0s')
  expect(gaveUp).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/^Nobody answered for too long: .*\nTo go on: /m),
  })
})

test.concurrent.each([
  [['/nowhere/in.jsonl', '-o', '/tmp/out.jsonl'], 66, '/nowhere/in.jsonl cannot be read (ENOENT)'],
  [['-', '-o', '/nowhere/out.jsonl'], 73, '/nowhere/out.jsonl'],
])('%j is refused', async (args, code, said) => {
  const ended = await runProgram(CLI, ['batch', ...args])
  expect(ended).toMatchObject({ code, stderr: expect.stringContaining(said) })
})

const LATER = `${'no json\n'.repeat(9)}"Why?"\n`
const PRETTY_LIST = JSON.stringify([{ content: 'Why?' }, 'Why?'], undefined, 2)

test.concurrent.each<[kind: string, content: string | Buffer, says: RegExp]>([
  ['UTF-16', Buffer.from(`\uFEFF${eventLines(3)}`, 'utf16le'), / is in UTF-16\. Save it as UTF-8/],
  ['UTF-16, big-endian', Buffer.from(`\uFEFF${eventLines(3)}`, 'utf16le').swap16(), / is in UTF-16\. /],
  ['UTF-16 without a byte order mark', Buffer.from(eventLines(3), 'utf16le'), / is in UTF-16\. /],
  ['gzip', gzipSync(eventLines(3)), / is compressed\. Unpack it first/],
  ['zstd', zstdCompressSync(eventLines(3)), / is compressed\. /],
  ['one JSON list', PRETTY_LIST, / is one JSON list\. Write each of its events on a line of its own/],
  [
    'one event over several lines',
    JSON.stringify({ content: 'Why?' }, undefined, 2),
    / goes over several lines\. /,
  ],
  ['CSV', 'id,question\n1,Why?\n2,"How?"\n', / is of another kind: none of its first lines is JSON\. /],
  ['Latin-1', Buffer.from('{"content":"Gr\xFC\xDFe"}\n'.repeat(3), 'latin1'), / is not valid UTF-8\. /],
  ['one line of text', 'Why?', / is of another kind: /],
])('an input in %s is refused as a whole', async (_kind, content, says) => {
  await using simulator = await simulate()
  const batch = await openBatchFolder(content, { KOBOLDCPP_API_URL: simulator.url })
  const fromFile = await batch.run()
  expect(fromFile).toMatchObject({ code: 65, stdout: '', stderr: expect.stringMatching(says) })
  expect(fromFile.stderr.startsWith(`${batch.input} `)).toBe(true)
  expect(fromFile.stderr.trimEnd()).not.toContain('\n')
  expect(await readdir(dirname(batch.input))).toEqual(['in.jsonl'])
  const fromPipe = await runProgram(CLI, ['batch', '-', '-o', batch.output], { input: content })
  expect(fromPipe).toMatchObject({ code: 65, stderr: expect.stringMatching(/^stdin (is|has) /) })
  expect(await readdir(dirname(batch.input))).toEqual(['in.jsonl'])
  expect(simulator.calls).toEqual([])
})

test.concurrent('lines that are not JSON before one that is fail one by one, from a file and from a pipe', async () => {
  await using simulator = await simulate()
  const environment = { KOBOLDCPP_API_URL: simulator.url }
  const summary = { lines: 10, answered: 1, refused: 9, asked: 1 }
  const batch = await openBatchFolder(LATER, environment)
  expect(JSON.parse((await batch.run('--json')).stdout)).toMatchObject(summary)
  const piped = await openBatchFolder('', environment)
  const args = ['batch', '-', '-o', piped.output, '--json']
  const { stdout } = await runProgram(CLI, args, { environment, input: LATER })
  expect(JSON.parse(stdout)).toMatchObject(summary)
})

test.concurrent('an empty input is a batch without lines', async () => {
  const batch = await openBatchFolder('\n', { KOBOLDCPP_API_URL: 'http://127.0.0.1:9' })
  const { code, stdout } = await batch.run('--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ lines: 0, asked: 0 })
})

test.concurrent.each(['/dev/null', '/dev/full', '.'])('%s is no place for results', async (place) => {
  const batch = await openBatchFolder(eventLines(1))
  const refused = { code: 73, stderr: expect.stringMatching(/^\S+ is not a regular file\. /) }
  expect(await runProgram(CLI, ['batch', batch.input, '-o', place])).toMatchObject(refused)
  expect(await batch.run('--errors', place)).toMatchObject(refused)
  expect(await readdir(dirname(batch.input))).toEqual(['in.jsonl'])
})
