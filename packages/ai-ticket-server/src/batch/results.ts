import { type FileHandle, open } from 'node:fs/promises'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import type { FinishedLines } from './finished-lines.ts'
import { readLines } from './read-lines.ts'
import { isBeginOfResult, readResult } from './result-line.ts'

export interface ResultFile {
  readonly path: string
  /** Resolves when the operating system has it: it outlives this process. `fsync` follows in the background. */
  append(text: string): Promise<void>
  /** Removes everything in it. */
  clear(): Promise<void>
  /** Waits until all of it is on disk. May be called twice. */
  close(): Promise<void>
}

/** Of an answer of our own; longer than any line of the input can make it. */
const MAX_RESULT_BYTES = 256 * 1_048_576

/** Opens a file of results, or makes it. */
export async function openResultFile(path: string): Promise<ResultFile & { readonly handle: FileHandle }> {
  const handle = await open(path, 'a+').catch((error: unknown) => {
    throw new BatchProblem(`${path} cannot be opened (${reasonOf(error)}).`, EXIT.cannotStore, error)
  })
  const sync = createSync(handle)
  let last: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined
  const write = async (text: string) => {
    try {
      await handle.appendFile(text)
    } catch (error) {
      const advice = 'Make room, and run the same command again: it goes on where it stopped.'
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
      // Whoever appended is told; the next one tries for itself.
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

/** Cuts off a last line that a kill has torn, and notes the result of every other. Throws a `BatchProblem` for a line that this command did not write. */
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
    `${line} of ${path} was not written by this command. Name another file, or start anew with --overwrite.`,
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
    // What fails here fails again where it is waited for.
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
