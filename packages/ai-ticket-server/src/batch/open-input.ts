import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import { checkFirstLines, checkSignature } from './check-kind.ts'
import { type InputLine, readLines } from './read-lines.ts'

interface BatchInput {
  /** Can be read more than once. */
  readonly isFile: boolean
  lines(): AsyncGenerator<InputLine>
}

/**
 * `-` is stdin. Its beginning has been read when this resolves. Throws a `BatchProblem` for a file that cannot be read,
 * or is of another kind.
 */
export async function openInput(path: string): Promise<BatchInput> {
  if (path === '-') return await openPipe('stdin', process.stdin)
  const refuse = (error: unknown): never => {
    throw new BatchProblem(
      `${path} cannot be read (${reasonOf(error)}). Correct the path.`,
      EXIT.noInput,
      error,
    )
  }
  async function* read(): AsyncGenerator<Buffer> {
    try {
      yield* createReadStream(path, { highWaterMark: 262_144 })
    } catch (error) {
      refuse(error)
    }
  }
  await access(path, constants.R_OK).catch(refuse)
  const stats = await stat(path).catch(refuse)
  if (!stats.isFile()) return await openPipe(path, read())
  const lines = () => readLines(checkSignature(path, read()))
  await checkFirstLines(path, lines())
  return { isFile: true, lines }
}

/** A pipe can be read only once, so the lines already checked are handed on before the rest. */
async function openPipe(name: string, source: AsyncIterable<Buffer>): Promise<BatchInput> {
  const rest = readLines(checkSignature(name, source))
  const first = await checkFirstLines(name, rest)
  async function* lines() {
    yield* first
    yield* rest
  }
  return { isFile: false, lines }
}
