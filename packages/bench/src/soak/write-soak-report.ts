import { markdownTable } from '../numbers/markdown-table.ts'
import { handlesOf } from './judge-soak.ts'
import type { SoakReport } from './run-soak.ts'
import type { Trend } from './trend.ts'

/** A soak for people, as Markdown. */
export function writeSoakReport(report: SoakReport): string {
  const { options, verdict, restBefore, restAfter, load, problems } = report
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  const pair = (before: string | number, after: string | number) => `${before} → ${after}`
  const perSecond = (load.sent / options.seconds).toFixed(1)
  const facts = [
    [
      'load',
      `${perSecond} of ${report.rate.toFixed(1)} requests/s, boxes busy ${(report.reachedShare * 100).toFixed(0)} %`,
    ],
    ['requests, lost', `${load.sent}, ${load.lost}`],
    ['heap under load, MB a minute', trendText(verdict.heap)],
    ['resident memory under load, MB a minute', trendText(verdict.rss)],
    ['heap at rest, MB', pair(megabytes(restBefore.heapUsed), megabytes(restAfter.heapUsed))],
    ['resident memory at rest, MB', pair(megabytes(restBefore.rss), megabytes(restAfter.rss))],
    ['handles at rest', pair(handlesOf(restBefore), handlesOf(restAfter))],
    ['listeners of the process at rest', pair(restBefore.listeners, restAfter.listeners)],
    ['99 % of the turns of the event loop late by at most', `${verdict.loopP99Ms.toFixed(1)} ms`],
    ['… of a process that does nothing', `${report.idleLoopP99Ms.toFixed(1)} ms`],
  ]
  const limits = `heap ${options.heapMbPerMinute} MB a minute, event loop ${options.loopP99Ms} ms`
  const parts = [
    '# AI Ticket soak',
    `${options.seconds} s, the first ${options.warmUpSeconds} s dropped, seed ${options.seed}; limits: ${limits}.`,
    markdownTable(['', ''], facts),
    problems.length === 0 ? 'Nothing grows.' : `FAILED:\n${problems.map((line) => `- ${line}`).join('\n')}`,
  ]
  return `${parts.join('\n\n')}\n`
}

const trendText = ({ slope, low, high, count }: Trend): string =>
  `${slope.toFixed(3)} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)}, ${count} samples)`
