import type { Clock } from '@ai-ticket/core'
import { EXIT } from '../program/exit-codes.ts'
import type { BatchArgs, BatchSettings } from './batch-options.ts'
import { conductBatch } from './conduct-batch.ts'
import { type Job, openJob } from './job.ts'
import { openAsker } from './open-asker.ts'
import { openInput } from './open-input.ts'
import { createProgress, type Progress, type ProgressOptions } from './progress.ts'
import { durationText } from './progress-line.ts'
import type { BatchEnd } from './run-lines.ts'
import { surveyInput } from './survey-input.ts'

export interface PerformOptions {
  readonly settings: BatchSettings
  readonly args: BatchArgs & Readonly<Record<string, unknown>>
  /** Aborted: no more lines are taken. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** The command that goes on. */
  readonly resume: string
}

/** A whole batch, from its files to the exit code. Throws a `BatchProblem`. */
export async function performBatch(options: PerformOptions): Promise<number> {
  const { settings, args, signal, clock, resume } = options
  const input = await openInput(settings.input)
  await using job = await openJob(settings)
  const { force, concurrency, maxFailures, patienceMs } = settings
  const survey = input.isFile ? await surveyInput(input.lines(), { ...job, force }) : undefined
  const startedAt = clock.now()
  await using asker = await openAsker(args, settings.server, job.lock.calls)
  using progress = createProgress({ ...shown(args), clock, total: survey?.lines, ...doneBefore(job, survey) })
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
  if (args.json) {
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
  if (!args.quiet) {
    const parts = [`${counts.answered} answered`, ...(failed > 0 ? [`${failed} failed`] : [])]
    progress.say(
      `${survey?.lines ?? lines} lines: ${parts.join(', ')}, in ${durationText(duration_ms / 1_000)}.`,
    )
  }
  sayEnd(end, { progress, failed, resume, errors: settings.errors })
  return exitCodeOf(end, counts)
}

const STOPPING = 'Finishing what is in hand; once more ends it at once.'

function shown({ quiet, json }: BatchArgs): Pick<ProgressOptions, 'stream' | 'style'> {
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
  if (end.type === 'too_many_failures') say('So many lines failed that the batch has stopped.')
  if (end.type !== 'done') say(`To go on: ${resume}`)
  else if (failed > 0) say(`${errors} says why. Ask them again with --retry-failed.`)
}

function exitCodeOf(end: BatchEnd, counts: { readonly failed: number; readonly refused: number }): number {
  switch (end.type) {
    case 'interrupted':
      return EXIT.interrupted
    case 'out_of_patience':
      return EXIT.unavailable
    case 'hopeless':
      return end.exitCode
    default:
      if (counts.failed > 0 || end.type === 'too_many_failures') return EXIT.someFailed
      return counts.refused > 0 ? EXIT.badInput : EXIT.ok
  }
}
