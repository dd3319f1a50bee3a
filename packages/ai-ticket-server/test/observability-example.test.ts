import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { FAILURE_CODES } from '@ai-ticket/core'
import { createMetrics } from '@ai-ticket/http-server'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = resolve(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')
const FOLDER = 'examples/observability'

interface Alert {
  readonly alert: string
  readonly expr: string
}

interface Dashboard {
  readonly templating: { readonly list: readonly unknown[] }
  readonly panels: readonly {
    readonly title: string
    readonly datasource: unknown
    readonly targets: readonly { expr: string; legendFormat: string }[]
  }[]
}

const { registry, showTickets } = await createMetrics()
showTickets({
  stats: () => Promise.reject(new Error('Nobody asks.')),
  nextDueInMs: () => Promise.resolve(undefined),
  pendingCallbacks: () => Promise.resolve(0),
})
const metrics = new Map(registry.getMetricsAsArray().map((metric) => [metric.name, metric]))
const labelsOf = (name: string): readonly string[] =>
  (metrics.get(name) as { labelNames?: readonly string[] } | undefined)?.labelNames ?? []

const alerts: readonly Alert[] = parse(read(`${FOLDER}/alerts.yml`)).groups.flatMap(
  ({ rules }: { rules: Alert[] }) => rules,
)
const dashboard = JSON.parse(read(`${FOLDER}/grafana/ai-ticket.json`)) as Dashboard
const queries = [
  ...alerts.map(({ alert, expr }) => ({ where: alert, expr, legend: '' })),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ where: title, expr, legend: legendFormat })),
  ),
]

/** A histogram is asked for by the names of its parts. */
const familyOf = (name: string) => (metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))

const STATES = ['unknown', 'ready', 'busy', 'loading', 'down', 'stuck', 'closed', 'open', 'trial']
const VALUES: Readonly<Record<string, readonly string[]>> = {
  code: ['completed', ...FAILURE_CODES],
  state: STATES,
  percentile: ['50', '99', '100'],
  job: ['ai-ticket'],
  status: ['queued', 'in_progress', 'completed', 'failed', 'cancelled'],
  result: ['delivered', 'failed', 'dead'],
}

test('there are queries to check', () => {
  expect(alerts.length).toBeGreaterThan(8)
  expect(queries.length - alerts.length).toBeGreaterThan(15)
})

test.each(queries)(
  'the query of "$where" asks for metrics and labels that exist: $expr',
  ({ expr, legend }) => {
    const names = [...expr.matchAll(/\bai_ticket_[a-z_]+|\bup\b/g)].map(([name]) => familyOf(name))
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => name !== 'up' && !metrics.has(name))).toEqual([])
    const known = names.flatMap((name) => (name === 'up' ? ['job', 'instance'] : [...labelsOf(name), 'le']))
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */))
    const selected = [...expr.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)]
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
    const labels = [...grouped, ...shown, ...selected.map(([, label = '']) => label)]
    expect(labels.filter((label) => !known.includes(label))).toEqual([])
    for (const [, label = '', operator, value = ''] of selected) {
      const isKnown = (part: string) => VALUES[label]?.some((one) => new RegExp(`^(?:${part})$`).test(one))
      const parts = operator === '=~' ? value.split('|') : [value]
      expect(parts.filter((part) => !isKnown(part))).toEqual([])
    }
  },
)

test('a counter is asked for by its rate', () => {
  for (const { expr, where } of queries) {
    const bare = expr.replace(/\b(rate|increase)\([^[]*\[[^\]]*\]\)/g, '')
    expect(bare, where).not.toMatch(/_total|_bucket/)
  }
})

test('the dashboard asks for the data source once, and each panel uses it', () => {
  expect(dashboard.templating.list).toMatchObject([
    { name: 'datasource', type: 'datasource', query: 'prometheus' },
  ])
  const used = dashboard.panels.map(({ datasource }) => datasource)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana's
  expect(used).toEqual(used.map(() => ({ type: 'prometheus', uid: '${datasource}' })))
})

test('parentheses of each query are balanced', () => {
  for (const { expr } of queries) expect(expr.split('(').length).toBe(expr.split(')').length)
})

/** The first cells of the rows under a head. */
function firstCells(page: string, head: string): string[] {
  const [, table = ''] = page.split(new RegExp(`^\\| ${head} .*\\n\\|[- |]+\\n`, 'm'))
  return [...(table.split('\n\n')[0] ?? '').matchAll(/^\| `(\w+)`/gm)].map(([, name = '']) => name)
}

const page = read('docs/operations.md')

test('the page explains every metric with its labels, and no other', () => {
  expect(firstCells(page, 'metric').toSorted()).toEqual([...metrics.keys()].toSorted())
  for (const [name] of metrics) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``))
    const labels = [...(row?.split('|')[2] ?? '').matchAll(/`(\w+)`/g)].map(([, label = '']) => label)
    expect(labels, name).toEqual(labelsOf(name))
  }
})

test('the page explains every alert, and no other', () => {
  expect(firstCells(page, 'alert')).toEqual(alerts.map(({ alert }) => alert))
})

test('every file that compose mounts is there', () => {
  const { services } = parse(read(`${FOLDER}/compose.yaml`))
  const mounts = Object.values(services as Record<string, { volumes: string[] }>).flatMap(
    ({ volumes }) => volumes,
  )
  const files = mounts.filter((mount) => mount.startsWith('..')).map((mount) => mount.split(':')[0] ?? '')
  expect(files.length).toBe(5)
  for (const file of files) expect(globSync(resolve(ROOT, 'examples/compose', file))).toHaveLength(1)
})
