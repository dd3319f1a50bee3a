import type { Outcome } from '@ai-ticket/core'
import type { Ask } from './answer.ts'
import type { Job } from './job.ts'
import { parseLine, type Task } from './parse-line.ts'
import type { Progress } from './progress.ts'
import type { InputLine } from './read-lines.ts'
import { type Result, refusalOf, resultOf } from './result-line.ts'
import { type BatchEnd, type BatchOptions, runBatch } from './run-lines.ts'
import { createSeenIds } from './seen-ids.ts'
import { changedInput, stateOf } from './survey-input.ts'

export interface ConductOptions extends Omit<BatchOptions<Asked>, 'next' | 'ask' | 'write'> {
  readonly job: Job
  readonly input: AsyncGenerator<InputLine>
  readonly ask: Ask
  readonly progress: Progress
  /** Lines that have changed since their result are asked, too. */
  readonly force: boolean
}

export interface Conducted {
  readonly end: BatchEnd
  /** Lines of the input that were looked at. */
  readonly lines: number
  /** Those that somebody was asked about. */
  readonly asked: number
}

interface Asked {
  readonly number: number
  readonly hash: string
  readonly task: Extract<Task, { type: 'event' | 'openai' }>
}

/** Lines in, results out: leaves out what is finished, answers at once what is no line, and asks the rest. */
export async function conductBatch(options: ConductOptions): Promise<Conducted> {
  const { job, input, ask, progress, force, clock } = options
  const ids = createSeenIds()
  let lines = 0
  let asked = 0

  async function record(result: Result): Promise<void> {
    await (result.end === 'answered' ? job.answers : job.errors).append(result.text)
    job.finished.note(result)
    progress.finished(result.end)
  }

  async function next(): Promise<Asked | undefined> {
    for (let step = await input.next(); !step.done; step = await input.next()) {
      const line = step.value
      lines += 1
      const state = stateOf(line, job.finished)
      if (state === 'changed' && !force) throw changedInput(`Line ${line.number} of the input`)
      const task = withOwnId(parseLine(line), line)
      if (state === 'finished') continue
      if (task.type === 'wrong' || task.type === 'openai_refused') await record(refusalOf(line, task))
      else return { number: line.number, hash: line.hash, task }
    }
    return undefined
  }

  function withOwnId(task: Task, { number }: InputLine): Task {
    const former = task.id === undefined || task.type === 'wrong' ? undefined : ids.add(task.id, number)
    if (former === undefined || task.id === undefined) return task
    const isOpenAi = task.type !== 'event'
    const details = `\`${isOpenAi ? 'custom_id' : 'id'}\` is that of line ${former}. Each line needs its own.`
    return { type: 'wrong', id: task.id, isOpenAi, code: 'invalid_input_format', details }
  }

  const end = await runBatch<Asked>({
    ...options,
    next,
    ask: ({ number, hash, task }) => {
      asked += 1
      const event = task.type === 'event' ? task.event : task.request.event
      return ask(event, () => `${job.lock.keyOf(number)}-${hash}`)
    },
    write: (line, outcome: Outcome) =>
      record(resultOf(line, line.task, { outcome, finishedAt: clock.wallTime() })),
    onOutage: progress.waiting,
  })
  return { end, lines, asked }
}
