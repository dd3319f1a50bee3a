import { constants, createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import { type InputLine, readLines } from './read-lines.ts'

export interface BatchInput {
  /** Can be read more than once. */
  readonly isFile: boolean
  lines(): AsyncGenerator<InputLine>
}

/** `-` is stdin. Throws a `BatchProblem` for a file that cannot be read. */
export async function openInput(path: string): Promise<BatchInput> {
  if (path === '-') return { isFile: false, lines: () => readLines(process.stdin) }
  const refuse = (error: unknown): never => {
    throw new BatchProblem(`${path} cannot be read (${reasonOf(error)}).`, EXIT.noInput, error)
  }
  await access(path, constants.R_OK).catch(refuse)
  async function* lines() {
    try {
      yield* readLines(createReadStream(path, { highWaterMark: 262_144 }))
    } catch (error) {
      refuse(error)
    }
  }
  return { isFile: true, lines }
}
