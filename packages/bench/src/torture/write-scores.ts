import { markdownTable } from '../numbers/markdown-table.ts'
import type { Score } from './run-torture.ts'

/** One column for each gateway, and below it what was seen. */
export function writeScores(scores: readonly Score[]): string {
  const names = scores[0]?.rows.map(({ name }) => name) ?? []
  const verdicts = markdownTable(
    ['', ...scores.map(({ gateway, version }) => `${gateway} ${version}`)],
    [
      ...names.map((name, index) => [name, ...scores.map(({ rows }) => shown(rows[index]?.verdict))]),
      [
        '**passed**',
        ...scores.map(({ rows }) => `${count(rows, 'pass')} of ${rows.length - count(rows, 'n/a')}`),
      ],
    ],
  )
  const seen = scores.map(
    ({ gateway, rows }) =>
      `## ${gateway}\n\n${markdownTable(
        ['', '', 'seen'],
        rows.map((row) => [row.name, shown(row.verdict), row.seen.replaceAll('|', '\\|')]),
      )}`,
  )
  return `# What hurts with local models\n\n${verdicts}\n\n${seen.join('\n\n')}\n`
}

const shown = (verdict: string | undefined): string => (verdict === 'fail' ? '**fail**' : (verdict ?? '–'))

const count = (rows: Score['rows'], verdict: string): number =>
  rows.filter((row) => row.verdict === verdict).length
