import { useMemo } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import type { DeskBody, SeriesBody } from '../../api/desk.ts'
import { screenPath } from '../../navigation.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { Panel } from '../../parts/panel.tsx'
import parts from '../../parts/parts.module.css'
import type { Resource } from '../../parts/use-resource.ts'
import { When } from '../../parts/when.tsx'
import { Chart } from './chart.tsx'
import { chartsOf, type GpuTime, gpuTimeOf, headlinesOf, percent } from './figures.ts'
import styles from './trends.module.css'
import { useSeries } from './use-series.ts'

/** Each is 360 steps long; the hour is what the server shows by itself. */
const RANGES = [
  { name: '1h', title: 'Last hour', stepS: undefined },
  { name: '6h', title: 'Last 6 hours', stepS: 60 },
  { name: '24h', title: 'Last 24 hours', stepS: 240 },
  { name: '7d', title: 'Last 7 days', stepS: 1_680 },
] as const

type Backends = DeskBody['backends']

/** What was counted over time. `hour`: of the last hour, which the screen has anyway. */
export function Trends({
  hour,
  backends,
}: {
  readonly hour: Resource<SeriesBody>
  readonly backends: Backends
}) {
  const { query } = useLocation()
  const { title, stepS } = RANGES.find(({ name }) => name === query.range) ?? RANGES[0]
  return (
    <section aria-labelledby="trends">
      <h2 id="trends">{title}</h2>
      <nav aria-label="Range">
        <ul class={styles.ranges}>
          {RANGES.map((range, index) => (
            <li key={range.name}>
              <a
                href={screenPath(index === 0 ? '' : `?range=${range.name}`)}
                aria-current={range.title === title ? 'true' : undefined}
              >
                {range.name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {stepS === undefined ? (
        <Figures series={hour} backends={backends} />
      ) : (
        <LongRange key={stepS} stepS={stepS} backends={backends} />
      )}
    </section>
  )
}

function LongRange({ stepS, backends }: { readonly stepS: number; readonly backends: Backends }) {
  return <Figures series={useSeries(stepS)} backends={backends} />
}

function Figures({
  series,
  backends,
}: {
  readonly series: Resource<SeriesBody>
  readonly backends: Backends
}) {
  const { value } = series
  const shown = useMemo(
    () => value && { charts: chartsOf(value), times: { t: value.t, stepS: value.step_s } },
    [value],
  )
  return (
    <Panel resource={series} rows={12}>
      {(counted) => (
        <>
          <dl class={parts.facts}>
            {headlinesOf(counted).map(({ name, words }) => (
              <div key={name}>
                <dt title={name.endsWith('p95') ? '95 of 100 took no longer' : undefined}>{name}</dt>
                <dd>{words}</dd>
              </div>
            ))}
            <div>
              <dt>until</dt>
              <dd>{series.asOf && <When at={series.asOf.toISOString()} />}</dd>
            </div>
          </dl>
          <GpuBars times={gpuTimeOf(counted, new Map(backends.map((one) => [one.name, one.concurrency])))} />
          <div class={styles.charts}>
            {shown?.charts.map((figures) => (
              <Chart key={figures.title} figures={figures} times={shown.times} />
            ))}
          </div>
        </>
      )}
    </Panel>
  )
}

function GpuBars({ times }: { readonly times: readonly GpuTime[] }) {
  if (times.length === 0) return null
  return (
    <div class={styles.gpu}>
      <h3 id="gpu-time">GPU time</h3>
      <ul class={styles.bars} aria-labelledby="gpu-time">
        {times.map((time) => (
          <GpuBar key={time.backend} time={time} />
        ))}
      </ul>
    </div>
  )
}

function GpuBar({ time: { backend, parts: uses, wasted } }: { readonly time: GpuTime }) {
  return (
    <li>
      <span class={styles.name}>
        <CallerText text={backend} />
      </span>
      <span class={styles.bar} aria-hidden="true">
        {uses.map(({ kind, share }) => (
          <span key={kind} class={styles[kind]} style={{ width: `${100 * share}%` }} />
        ))}
      </span>
      <span>
        {uses
          .filter(({ kind, share }) => kind === 'busy' || share >= SMALLEST)
          .map(({ kind, share }) => `${kind} ${percent(share)}`)
          .join(', ')}
      </span>
      {wasted > 0 && (
        <a
          href={screenPath(`tickets?${new URLSearchParams({ backend, wasted: 'true' })}`)}
          aria-label={`→ who wasted the time of ${backend}`}
        >
          → who
        </a>
      )}
    </li>
  )
}

/** A tenth of a percent: less says nothing. */
const SMALLEST = 0.001
