import { type FileHandle, open } from 'node:fs/promises'
import { FAILURES, type FailureCode, type Outcome } from '@ai-ticket/core'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import { type FinishedLine, type FinishedLines, type LineEnd, MAX_LINES } from './finished-lines.ts'
import type { Task } from './parse-line.ts'
import { readLines } from './read-lines.ts'

export interface ResultFile {
  readonly path: string
  /** Resolves when the operating system has it: it outlives this process. `fsync` follows in the background. */
  append(text: string): Promise<void>
  /** Removes everything in it. */
  clear(): Promise<void>
  /** Waits until all of it is on disk. May be called twice. */
  close(): Promise<void>
}

/** Longer than any answer that a line of the input can get. */
const MAX_RESULT_BYTES = 256 * 1_048_576

/** Opens a file of results, or creates it. */
export async function openResultFile(path: string): Promise<ResultFile & { readonly handle: FileHandle }> {
  const handle = await open(path, 'a+').catch((error: unknown) => {
    throw new BatchProblem(
      `${path} cannot be opened (${reasonOf(error)}). Correct the path, or its permissions.`,
      EXIT.cannotStore,
      error,
    )
  })
  const sync = createSync(handle)
  let last: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined
  const write = async (text: string) => {
    try {
      await handle.appendFile(text)
    } catch (error) {
      const advice = 'Make room, and run the same command again: it continues where it stopped.'
      throw new BatchProblem(
        `${path} cannot be written (${reasonOf(error)}). ${advice}`,
        EXIT.cannotStore,
        error,
      )
    }
    sync.soon()
  }
  return {
    path,
    handle,
    append(text) {
      const written = last.then(() => write(text))
      // The caller of this `append` gets the error; the next write tries again.
      last = written.catch(() => {})
      return written
    },
    clear: () => handle.truncate(0),
    close() {
      closing ??= last.then(sync.now).finally(() => handle.close())
      return closing
    },
  }
}

/**
 * Cuts off a last line that a kill has torn, and notes the result of every other. Throws a `BatchProblem` for a line that
 * this command did not write.
 */
export async function readResults(
  { path, handle }: { readonly path: string; readonly handle: FileHandle },
  { isError, finished }: { readonly isError: boolean; readonly finished: FinishedLines },
): Promise<void> {
  await cutTornLine(path, handle)
  const stream = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 262_144 })
  for await (const { number, bytes } of readLines(stream, MAX_RESULT_BYTES)) {
    // An answer is known by its head.
    const text = isError ? bytes?.toString() : bytes?.subarray(0, 128).toString()
    const result = text === undefined ? undefined : readResult(text, { isError })
    if (result === undefined) {
      throw foreignLine(`Line ${number}`, path)
    }
    finished.note(result)
  }
}

const foreignLine = (line: string, path: string) =>
  new BatchProblem(
    `${line} of ${path} was not written by this command. Name another file, or start over with --overwrite.`,
    EXIT.cannotStore,
  )

const STEP = 65_536

async function cutTornLine(path: string, handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  const block = Buffer.alloc(STEP)
  for (let end = size; end > 0; end -= STEP) {
    const start = Math.max(0, end - STEP)
    const { bytesRead } = await handle.read(block, 0, end - start, start)
    const newline = block.subarray(0, bytesRead).lastIndexOf(0x0a)
    if (newline === -1) continue
    return await cut(start + newline + 1)
  }
  await cut(0)

  async function cut(at: number): Promise<void> {
    if (at >= size) return
    const { bytesRead } = await handle.read(block, 0, STEP, at)
    if (!isBeginOfResult(block.subarray(0, bytesRead))) throw foreignLine('The last line', path)
    await handle.truncate(at)
  }
}

/** One `fsync` at a time; lines that come meanwhile share the next one. */
function createSync(handle: FileHandle) {
  let isDirty = false
  let running: Promise<void> | undefined
  async function run(): Promise<void> {
    while (isDirty) {
      isDirty = false
      await handle.datasync()
    }
  }
  const soon = () => {
    isDirty = true
    // What fails here fails again where somebody waits for it.
    running ??= run()
      .catch(() => {
        isDirty = true
      })
      .finally(() => {
        running = undefined
      })
  }
  return {
    soon,
    async now(): Promise<void> {
      await running
      if (isDirty) await handle.datasync()
    },
  }
}

export interface Result extends FinishedLine {
  /** One line of JSON. It begins with what tells its line of the input, so that a later run finds it quickly. */
  readonly text: string
}

interface Place {
  readonly number: number
  readonly hash: string
}

/** The result of a line that was asked. `finishedAt`: milliseconds since 1970. */
export function resultOf(
  place: Place,
  task: Extract<Task, { type: 'event' | 'openai' }>,
  { outcome, finishedAt }: { outcome: Outcome; finishedAt: number },
): Result {
  const end = outcome.error === undefined ? 'answered' : endOf(outcome.error)
  if (task.type === 'event') {
    return write(place, end, {
      ...plainHead(place),
      ...(task.id !== undefined && { id: task.id }),
      ...outcome,
    })
  }
  const { status, body } = task.request.replyTo(outcome, finishedAt)
  const response = { status_code: status, request_id: outcome.id, body }
  return write(place, end, { id: requestId(place), custom_id: task.id, response, error: null })
}

/** The result of a line that is refused without asking. */
export function refusalOf(place: Place, task: Extract<Task, { type: 'openai_refused' | 'wrong' }>): Result {
  if (task.type === 'openai_refused') {
    const { status, body } = task.reply
    const response = { status_code: status, request_id: null, body }
    return write(place, 'refused', { id: requestId(place), custom_id: task.id, response, error: null })
  }
  const { id, code, details, isOpenAi } = task
  if (isOpenAi) {
    const error = { code, message: details }
    return write(place, 'refused', { id: requestId(place), custom_id: id ?? null, response: null, error })
  }
  return write(place, 'refused', {
    ...plainHead(place),
    ...(id !== undefined && { id }),
    error: code,
    details,
  })
}

const write = ({ number, hash }: Place, end: LineEnd, value: object): Result => ({
  number,
  hash,
  end,
  text: `${JSON.stringify(value)}\n`,
})

const plainHead = ({ number, hash }: Place) => ({ line: number, line_hash: hash })

/** To OpenAI's clients, any text. It tells us the line. */
const requestId = ({ number, hash }: Place): string =>
  `batch_req_${number.toString(16).padStart(8, '0')}${hash}`

const PLAIN = /^\{"line":(\d{1,9}),"line_hash":"([0-9a-f]{13})",/
const OPENAI = /^\{"id":"batch_req_([0-9a-f]{8})([0-9a-f]{13})",/

/** Which line a result is of; undefined: this command did not write it. */
function readResult(text: string, { isError }: { readonly isError: boolean }): FinishedLine | undefined {
  const [, decimal, plainHash] = PLAIN.exec(text) ?? []
  const [, hex, openAiHash] = OPENAI.exec(text) ?? []
  const number = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  const hash = plainHash ?? openAiHash
  if (hash === undefined || !(number >= 1 && number <= MAX_LINES)) return undefined
  if (!isError) return { number, hash, end: 'answered' }
  const end = readEnd(text)
  return end && { number, hash, end }
}

/** Whether a torn line is one of ours; after a power cut it may be nothing but zeros. */
function isBeginOfResult(bytes: Buffer): boolean {
  const text = bytes.subarray(0, 64).toString('latin1').replace(/\0+$/, '')
  return ['{"line":', '{"id":"batch_req_'].some((head) => head.startsWith(text) || text.startsWith(head))
}

interface ErrorLine {
  readonly error?: unknown
  readonly response?: { readonly body?: { readonly error?: { readonly type?: unknown } } } | null
}

function readEnd(text: string): LineEnd | undefined {
  try {
    const { error, response } = JSON.parse(text) as ErrorLine
    if (response) return response.body?.error?.type === 'invalid_request_error' ? 'refused' : 'failed'
    return typeof error === 'string' ? endOf(error) : 'refused'
  } catch {
    return undefined
  }
}

/** A failure that was met before a backend was asked, and that only a change of the line can mend. */
function endOf(code: string): LineEnd {
  const rule = isFailureCode(code) ? FAILURES[code] : undefined
  return (rule?.stage === 'edge' || rule?.stage === 'event') && rule.passes === 'never' ? 'refused' : 'failed'
}

const isFailureCode = (code: string): code is FailureCode => Object.hasOwn(FAILURES, code)
