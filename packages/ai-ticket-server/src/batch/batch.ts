import type { Clock, Outcome } from '@ai-ticket/core'
import type { ResolvedConfig } from '../config/config.ts'
import { EXIT } from '../program/exit-codes.ts'
import type { Ask, HopelessReason } from './ask-here.ts'
import type { BatchSettings } from './batch-options.ts'
import { changedInput, stateOf, surveyInput } from './finished-lines.ts'
import { type Job, openJob } from './job.ts'
import { openAsker } from './open-asker.ts'
import { openInput } from './open-input.ts'
import { parseLine, type Task } from './parse-line.ts'
import { createProgress, durationText, type Progress, type ProgressOptions } from './progress.ts'
import type { InputLine } from './read-lines.ts'
import { type Result, refusalOf, resultOf } from './results.ts'
import { type BatchEnd, type BatchOptions, runBatch } from './run-lines.ts'

interface PerformOptions {
  readonly settings: BatchSettings
  readonly resolved: ResolvedConfig
  /** Aborted: no more lines are taken. */
  readonly signal: AbortSignal
  /** Aborted: lines in progress are stopped at their backend. */
  readonly leaving: AbortSignal
  readonly clock: Clock
  /** The command that continues this batch. */
  readonly resume: string
}

/** A whole batch, from its files to the exit code. Throws a `BatchProblem`. */
export async function performBatch(options: PerformOptions): Promise<number> {
  const { settings, resolved, signal, leaving, clock, resume } = options
  const input = await openInput(settings.input)
  await using job = await openJob(settings)
  const { force, concurrency, maxFailures, patienceMs } = settings
  const survey = input.isFile ? await surveyInput(input.lines(), { ...job, force }) : undefined
  const startedAt = clock.now()
  await using asker = await openAsker({ resolved, calls: job.lock.calls, leaving })
  using progress = createProgress({
    ...shown(settings),
    clock,
    total: survey?.lines,
    ...doneBefore(job, survey),
  })
  signal.addEventListener('abort', () => progress.say(STOPPING))
  const { end, lines, asked } = await conductBatch({
    job,
    input: input.lines(),
    ask: asker.ask,
    progress,
    force,
    concurrency: concurrency ?? asker.slots,
    maxFailures,
    patienceMs,
    signal,
    clock,
  })
  await Promise.all([job.answers.close(), job.errors.close()])
  const { counts } = job.finished
  const failed = counts.failed + counts.refused
  progress[Symbol.dispose]()
  const duration_ms = Math.round(clock.now() - startedAt)
  if (settings.json) {
    const { output, errors } = settings
    const summary = {
      lines: survey?.lines ?? lines,
      ...counts,
      asked,
      end: end.type,
      duration_ms,
      output,
      errors,
    }
    process.stdout.write(`${JSON.stringify({ object: 'batch', ...summary })}\n`)
  }
  if (!settings.quiet) {
    const parts = [`${counts.answered} answered`, ...(failed > 0 ? [`${failed} failed`] : [])]
    progress.say(
      `${survey?.lines ?? lines} lines: ${parts.join(', ')}, in ${durationText(duration_ms / 1_000)}.`,
    )
  }
  sayEnd(end, { progress, failed, resume, errors: settings.errors })
  return exitCodeOf(end, counts)
}

const STOPPING = 'Finishing the lines in progress. A second signal stops them.'

function shown({ quiet, json }: BatchSettings): Pick<ProgressOptions, 'stream' | 'style'> {
  const stream = process.stderr
  const isBar = stream.isTTY && !json && !process.env.CI && process.env.TERM !== 'dumb'
  return { stream, style: quiet ? 'none' : isBar ? 'bar' : 'lines' }
}

function doneBefore({ finished }: Job, survey: { lines: number; open: number } | undefined) {
  const failed = finished.counts.failed + finished.counts.refused
  return { done: survey === undefined ? 0 : survey.lines - survey.open, failed }
}

function sayEnd(
  end: BatchEnd,
  {
    progress,
    failed,
    resume,
    errors,
  }: { progress: Progress; failed: number; resume: string; errors: string },
): void {
  const { say } = progress
  if (end.type === 'out_of_patience') say(`Nobody answered for too long: ${end.details}`)
  if (end.type === 'hopeless') say(end.details)
  if (end.type === 'too_many_failures') say('Stopped, because as many lines failed as --max-failures allows.')
  if (end.type !== 'done') say(`To go on: ${resume}`)
  else if (failed > 0) say(`${errors} says why. Ask the failed lines again with --retry-failed.`)
}

const EXIT_OF_REASON: Readonly<Record<HopelessReason, number>> = {
  no_permission: EXIT.noPermission,
  unavailable: EXIT.unavailable,
}

function exitCodeOf(end: BatchEnd, counts: { readonly failed: number; readonly refused: number }): number {
  switch (end.type) {
    case 'interrupted':
      return EXIT.interrupted
    case 'out_of_patience':
      return EXIT.unavailable
    case 'hopeless':
      return EXIT_OF_REASON[end.reason]
    default:
      if (counts.failed > 0 || end.type === 'too_many_failures') return EXIT.someFailed
      return counts.refused > 0 ? EXIT.badInput : EXIT.ok
  }
}

interface ConductOptions extends Omit<BatchOptions<Asked>, 'next' | 'ask' | 'write'> {
  readonly job: Job
  readonly input: AsyncGenerator<InputLine>
  readonly ask: Ask
  readonly progress: Progress
  /** Lines that have changed since their result are asked again. */
  readonly force: boolean
}

interface Conducted {
  readonly end: BatchEnd
  /** Lines of the input read so far. */
  readonly lines: number
  /** Lines sent to a backend or a server. */
  readonly asked: number
}

interface Asked {
  readonly number: number
  readonly hash: string
  readonly task: Extract<Task, { type: 'event' | 'openai' }>
}

/** Lines in, results out: skips what is finished, refuses what is not a valid line, and asks the rest. */
async function conductBatch(options: ConductOptions): Promise<Conducted> {
  const { job, input, ask, progress, force, clock } = options
  const lineOfId = new Map<string, number>()
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
    if (task.id === undefined || task.type === 'wrong') return task
    const former = lineOfId.get(task.id)
    if (former === undefined) {
      lineOfId.set(task.id, number)
      return task
    }
    const isOpenAi = task.type !== 'event'
    const details = `\`${isOpenAi ? 'custom_id' : 'id'}\` is that of line ${former}. Each line needs its own.`
    return { type: 'wrong', id: task.id, isOpenAi, code: 'invalid_input_format', details }
  }

  const end = await runBatch<Asked>({
    ...options,
    next,
    ask: ({ number, hash, task }) => {
      asked += 1
      const { event, options } = task.type === 'event' ? { ...task, options: undefined } : task.request
      return ask(event, () => `${job.lock.keyOf(number)}-${hash}`, options)
    },
    write: (line, outcome: Outcome) =>
      record(resultOf(line, line.task, { outcome, finishedAt: clock.wallTime() })),
    onOutage: progress.waiting,
  })
  return { end, lines, asked }
}
