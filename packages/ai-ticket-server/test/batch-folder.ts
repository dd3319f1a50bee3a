import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { CLI, cleanEnvironment, type Ended, runProgram } from './run-program.ts'

interface ResultLine extends Record<string, unknown> {
  readonly line?: number
  readonly custom_id?: string
}

interface StartedBatch {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when what comes on stderr from now on matches. */
  said(pattern: RegExp): Promise<void>
}

export interface BatchFolder {
  readonly input: string
  readonly output: string
  /** Runs to the end. */
  run(...args: string[]): Promise<Ended>
  start(...args: string[]): StartedBatch
  answers(): Promise<ResultLine[]>
  errors(): Promise<ResultLine[]>
}

/** A folder of its own with `in.jsonl`, for runs of `ai-ticket batch in.jsonl -o out.jsonl`. */
export async function openBatchFolder(content: string | Buffer, environment = {}): Promise<BatchFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  const [input, output] = [join(folder, 'in.jsonl'), join(folder, 'out.jsonl')]
  await writeFile(input, content)
  const words = (args: readonly string[]) => ['batch', input, '-o', output, ...args]
  const resultsIn = async (file: string): Promise<ResultLine[]> => {
    const written = await readFile(file, 'utf8')
    return written.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  }
  return {
    input,
    output,
    run: (...args) => runProgram(CLI, words(args), { environment }),
    start(...args) {
      const env = cleanEnvironment(environment)
      const child = spawn(process.execPath, [CLI, ...words(args)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      const ended = async (): Promise<Ended> => {
        const code = new Promise<number | null>((resolve) => child.once('close', resolve))
        const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
        return { code: await code, stdout, stderr }
      }
      const said = (pattern: RegExp) =>
        new Promise<void>((resolve) => {
          let heard = ''
          child.stderr.on('data', (chunk) => {
            heard += chunk
            if (pattern.test(heard)) resolve()
          })
        })
      return { child, ended: ended(), said }
    },
    answers: () => resultsIn(output),
    errors: () => resultsIn(output.replace('.jsonl', '.errors.jsonl')),
  }
}

export const eventLines = (count: number): string =>
  Array.from(
    { length: count },
    (_, index) => `{"id":"e${index + 1}","content":"Number ${index + 1}"}\n`,
  ).join('')
