import { appendFile, link, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openJob } from './job.ts'

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  const output = join(path, 'out.jsonl')
  const errors = join(path, 'out.errors.jsonl')
  return { input: join(path, 'in.jsonl'), output, errors, overwrite: false, retryFailed: false }
}

const plain = (line: number, rest: object) =>
  `${JSON.stringify({ line, line_hash: 'abcdefabcdef0', ...rest })}\n`
const ANSWER = plain(1, { completion: 'x'.repeat(300), id: 'evt_1' })
const OPENAI =
  '{"id":"batch_req_0000000aabcdefabcdef0","custom_id":"c","response":{"status_code":200},"error":null}\n'

test('knows what both files say, and goes on after a torn last line', async () => {
  const options = await folder()
  await writeFile(options.output, ANSWER + OPENAI + ANSWER.slice(0, 20))
  const failed = plain(2, { error: 'api_timeout' }) + plain(3, { error: 'invalid_request' })
  const refused = (status: number, type: string) =>
    OPENAI.replace(
      '200',
      `${status},"body":{"error":{"message":"m","type":"${type}","param":null,"code":"c"}}`,
    )
  const openAi =
    refused(504, 'server_error').replace('0a', '0b') +
    refused(400, 'invalid_request_error').replace('0a', '0c')
  await writeFile(options.errors, `${failed + openAi}{"id":"ba`)
  {
    await using job = await openJob(options)
    expect([1, 10, 2, 3, 11, 12].map((number) => job.finished.find(number)?.end)).toEqual([
      ...['answered', 'answered', 'failed', 'refused', 'failed', 'refused'],
    ])
    await job.answers.append(plain(4, { completion: '' }))
  }
  expect(await readFile(options.output, 'utf8')).toBe(ANSWER + OPENAI + plain(4, { completion: '' }))
  expect(await readFile(options.errors, 'utf8')).toBe(failed + openAi)
})

test('cuts off the zeros that a power cut may leave', async () => {
  const options = await folder()
  await writeFile(options.output, Buffer.concat([Buffer.from(ANSWER), Buffer.alloc(100_000)]))
  await (await openJob(options))[Symbol.asyncDispose]()
  expect(await readFile(options.output, 'utf8')).toBe(ANSWER)
})

test.each(['precious', '{"id": "somebody else"}\n', `${ANSWER}\n{"my":"own"}\n`])(
  'leaves a file alone that holds %j',
  async (content) => {
    const options = await folder()
    await writeFile(options.output, content)
    await expect(openJob(options)).rejects.toThrow(/was not written by this command.*--overwrite/)
    expect(await readFile(options.output, 'utf8')).toBe(content)
    await (await openJob({ ...options, overwrite: true }))[Symbol.asyncDispose]()
    expect(await readFile(options.output, 'utf8')).toBe('')
  },
)

test.each([
  ['symlink', 'output'],
  ['link', 'output'],
  ['symlink', 'errors'],
] as const)('an input that is the other end of a %s, the %s, is left alone', async (kind, name) => {
  const options = await folder()
  await writeFile(options.input, 'precious')
  await (kind === 'link' ? link : symlink)(options.input, options[name])
  await expect(openJob({ ...options, overwrite: true })).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('must be three files'),
  })
  expect(await readFile(options.input, 'utf8')).toBe('precious')
})

test('failed lines are open again where that is wanted, under new keys; the rest keeps its own', async () => {
  const options = await folder()
  const keysOf = async (more: object) => {
    await using job = await openJob({ ...options, ...more })
    return { keys: [1, 2].map((line) => job.lock.keyOf(line)), open: job.finished.find(2) === undefined }
  }
  const first = await keysOf({})
  await appendFile(options.errors, plain(2, { error: 'api_timeout' }))
  expect(await keysOf({})).toEqual({ keys: first.keys, open: false })
  const again = await keysOf({ retryFailed: true })
  expect(again).toEqual({
    keys: [first.keys[0], expect.not.stringMatching(`^${first.keys[1]}$`)],
    open: true,
  })
  expect(await readFile(options.errors, 'utf8')).toBe('')
  expect(await keysOf({ retryFailed: true })).toEqual({ keys: again.keys, open: true })
})

test('an output belongs to one run at a time', async () => {
  const options = await folder()
  await using _job = await openJob(options)
  await expect(openJob(options)).rejects.toMatchObject({
    exitCode: 75,
    message: expect.stringContaining('Another run'),
  })
})
