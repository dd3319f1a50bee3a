import { markdownTable } from '../numbers/markdown-table.ts'
import { BULLMQ_VERSION } from './measure-bullmq.ts'
import type { TicketFigures } from './ticket-figures.ts'

const number = (value: number) => Math.round(value).toLocaleString('en')

/** Everything as Markdown. */
export function writeTicketReport(figures: TicketFigures): string {
  return [acceptTable(figures), listTable(figures)].join('\n\n').concat('\n')
}

function acceptTable({ accepts, httpAccepts, bullmq, busyShare }: TicketFigures): string {
  const targets: Readonly<Record<string, number>> = { SQLite: 5_000, PostgreSQL: 1_000 }
  const perSecond = (value: number, target: number) => [
    `≥ ${number(target)}/s`,
    `${number(value)}/s`,
    value >= target ? 'reached' : 'MISSED',
  ]
  return markdownTable(
    ['', 'target', 'measured', ''],
    [
      ...Object.entries(accepts).map(([name, value]) => [
        `accepts on ${name}, 64 callers, each waits for the disk`,
        ...perSecond(value, targets[name] ?? 0),
      ]),
      [
        'accepts over HTTP on SQLite, 64 connections, client in its own process',
        ...perSecond(httpAccepts, 5_000),
      ],
      [
        `BullMQ ${BULLMQ_VERSION}, 64 callers`,
        '–',
        'problem' in bullmq ? `not measured: ${bullmq.problem}` : `${number(bullmq.perSecond)}/s`,
        '',
      ],
      ...Object.entries(busyShare).map(([name, share]) => [
        `slots busy under a backlog of 1,000, answers of a second, on ${name}`,
        '≥ 98 %',
        `${(share * 100).toFixed(1)} %`,
        share >= 0.98 ? 'reached' : 'MISSED',
      ]),
    ],
  )
}

function listTable({ lists, tickets }: TicketFigures): string {
  const names = Object.keys(lists)
  const [first = []] = Object.values(lists)
  const rows = first.map(({ what }, index) => [
    what,
    ...names.flatMap((name) => {
      const figure = lists[name]?.[index]
      return figure ? [figure.median.toFixed(1), figure.p95.toFixed(1)] : ['–', '–']
    }),
  ])
  const head = [
    `a page of ${number(tickets)} tickets, ms`,
    ...names.flatMap((name) => [`${name}, median`, 'p95']),
  ]
  return markdownTable(head, rows)
}
