import { createFinishedLines, type FinishedLines } from './finished-lines.ts'
import { lockOutput, type OutputLock } from './lock-output.ts'
import { openResultFile, type ResultFile, readResults } from './results.ts'

export interface JobOptions {
  readonly output: string
  readonly errors: string
  /** Forgets what is there. */
  readonly overwrite: boolean
  /** Lines that failed are open again. */
  readonly retryFailed: boolean
}

/** The files of a batch, held by this process alone, and what they say is finished. */
export interface Job extends AsyncDisposable {
  readonly lock: OutputLock
  readonly answers: ResultFile
  readonly errors: ResultFile
  readonly finished: FinishedLines
}

/** Opens what an earlier run has left, whole or torn. Throws a `BatchProblem` that says what to do. */
export async function openJob({ output, errors, overwrite, retryFailed }: JobOptions): Promise<Job> {
  const lock = lockOutput(output)
  const files: ResultFile[] = []
  const close = async () => {
    await Promise.allSettled(files.map((file) => file.close()))
    lock[Symbol.dispose]()
  }
  try {
    const answerFile = await openResultFile(output)
    files.push(answerFile)
    const errorFile = await openResultFile(errors)
    files.push(errorFile)
    const finished = createFinishedLines()
    if (overwrite) {
      lock.renewAll()
      await Promise.all([answerFile.clear(), errorFile.clear()])
    } else {
      await readResults(answerFile, { isError: false, finished })
      const failed = retryFailed ? createFinishedLines() : finished
      await readResults(errorFile, { isError: true, finished: failed })
      if (retryFailed) {
        // In this order: a key too many is harmless, one too few would bring the old failure back.
        lock.renewKeys(failed.numbers())
        await errorFile.clear()
      }
    }
    return { lock, answers: answerFile, errors: errorFile, finished, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
