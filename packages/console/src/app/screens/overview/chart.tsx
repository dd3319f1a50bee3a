import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import type UPlot from 'uplot'
import { screenPath } from '../../navigation.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import parts from '../../parts/parts.module.css'
import { ScrollingTable } from '../../parts/scrolling-table.tsx'
import { formats, When } from '../../parts/when.tsx'
import styles from './chart.module.css'
import type { ChartFigures, ChartLine } from './figures.ts'

/** When each value is of, and the length of a step in seconds. */
export interface ChartTimes {
  readonly t: readonly string[]
  readonly stepS: number
}

/** Lines over time, and the same as a table. Dragging over it shows the tickets of that time; so do the links of the table. */
export function Chart({ figures, times }: { readonly figures: ChartFigures; readonly times: ChartTimes }) {
  const { title, lines, words } = figures
  const { route } = useLocation()
  const [at, setAt] = useState<number | undefined>(undefined)
  const { element, isLost } = usePlot({
    figures,
    times,
    onPoint: setAt,
    onRange: (first, last) => route(screenPath(ticketsIn(times, first, last))),
  })
  return (
    <figure class={styles.chart}>
      <figcaption>
        <h3>{title}</h3>
        <ul class={styles.legend}>
          {lines.map((line) => (
            <li key={line.name}>
              <LineSample line={line} />
              <CallerText text={line.name} />
              {at !== undefined && <b>{valueWords(line.values[at], words)}</b>}
            </li>
          ))}
          {at !== undefined && times.t[at] !== undefined && (
            <li>
              <When at={times.t[at]} />
            </li>
          )}
        </ul>
      </figcaption>
      {isLost && <p>The chart could not be loaded. Reload the page; the table has the same figures.</p>}
      <div class={styles.plot} ref={element} role="img" aria-label={`${title}: ${summaryOf(figures)}`} />
      <ChartTable figures={figures} times={times} />
    </figure>
  )
}

/** Of the tickets that came from the beginning of one step to the end of another. */
function ticketsIn({ t, stepS }: ChartTimes, first: number, last: number): string {
  const from = t[first] ?? ''
  const to = new Date(Date.parse(t[last] ?? '') + 1_000 * stepS).toISOString()
  return `tickets?${new URLSearchParams({ created_before: to, created_from: from })}`
}

const valueWords = (value: number | null | undefined, words: (value: number) => string): string =>
  value === null || value === undefined ? '–' : words(value)

/** What somebody who cannot see the chart is told first. */
const summaryOf = ({ lines, words }: ChartFigures): string =>
  lines
    .map(({ name, values }) => {
      const known = values.filter((value) => value !== null)
      return known.length === 0
        ? `${name}: none`
        : `${name}: from ${words(Math.min(...known))} to ${words(Math.max(...known))}`
    })
    .join('; ')

/** How the line is drawn, with its dashes. */
function LineSample({ line: { token, dash } }: { readonly line: ChartLine }) {
  return (
    <svg class={styles.sample} viewBox="0 0 24 4" aria-hidden="true">
      <line x1="0" y1="2" x2="24" y2="2" stroke={`var(--${token})`} stroke-dasharray={dash.join(' ')} />
    </svg>
  )
}

function ChartTable({
  figures: { title, lines, words },
  times,
}: {
  readonly figures: ChartFigures
  readonly times: ChartTimes
}) {
  const [isOpen, setOpen] = useState(false)
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title} as a table</summary>
      {isOpen && (
        <div class={styles.rows}>
          <ScrollingTable name={title}>
            <table class={parts.table}>
              <thead>
                <tr>
                  <th>from</th>
                  {lines.map(({ name }) => (
                    <th key={name} class={parts.numeric}>
                      <CallerText text={name} />
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {times.t
                  .map((time, index) => (
                    <tr key={time}>
                      <td>
                        <a href={screenPath(ticketsIn(times, index, index))}>
                          <When at={time} />
                        </a>
                      </td>
                      {lines.map(({ name, values }) => (
                        <td key={name} class={parts.numeric}>
                          {valueWords(values[index], words)}
                        </td>
                      ))}
                    </tr>
                  ))
                  .reverse()}
              </tbody>
            </table>
          </ScrollingTable>
        </div>
      )}
    </details>
  )
}

interface PlotOptions {
  readonly figures: ChartFigures
  readonly times: ChartTimes
  /** The place under the pointer; undefined: it has left. */
  readonly onPoint: (place: number | undefined) => void
  /** The first and the last step of those that were dragged over. */
  readonly onRange: (first: number, last: number) => void
}

/**
 * Keeps a plot in an element: one for the same lines, with new values as they come. The code that draws is as much as most of the
 * console: it is loaded when the page can be read. `isLost`: it could not be.
 */
function usePlot(options: PlotOptions) {
  const element = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const [isLost, setLost] = useState(false)
  const latest = useRef(options)
  latest.current = options
  const { figures, times } = options
  const data = useMemo(() => dataOf(figures, times), [figures, times])
  const looks = figures.lines.map(({ name, token, dash }) => [name, token, ...dash].join()).join('|')
  useEffect(() => {
    let remove = () => {}
    let isGone = false
    import('uplot').then(
      ({ default: Plot }) => {
        const place = element.current
        if (isGone || place === null) return
        const { current } = latest
        const made = new Plot(plotOptions(place, latest), dataOf(current.figures, current.times), place)
        plot.current = made
        const unwatch = redrawOnChanges(made, place)
        remove = () => {
          unwatch()
          made.destroy()
          plot.current = undefined
        }
      },
      () => setLost(true),
    )
    return () => {
      isGone = true
      remove()
    }
  }, [looks])
  useEffect(() => plot.current?.setData(data), [data])
  return { element, isLost }
}

/** Its size is that of its place, and colours are read as it is drawn. Gives back what ends it. */
function redrawOnChanges(plot: UPlot, place: HTMLElement): () => void {
  const resized = new ResizeObserver(() => plot.setSize(sizeOf(place)))
  resized.observe(place)
  const dressed = new MutationObserver(() => plot.redraw(false))
  dressed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  return () => {
    resized.disconnect()
    dressed.disconnect()
  }
}

const dataOf = ({ lines }: ChartFigures, { t }: ChartTimes): UPlot.AlignedData => [
  t.map((time) => Date.parse(time) / 1_000),
  ...lines.map(({ values }) => [...values]),
]

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement) => ({ width: clientWidth, height: clientHeight })

/** A drag of fewer pixels is a click. */
const DRAG_PX = 5

function plotOptions(place: HTMLElement, latest: { readonly current: PlotOptions }): UPlot.Options {
  const { lines } = latest.current.figures
  const axis = {
    stroke: () => colour('dim'),
    font: `12px ${getComputedStyle(place).fontFamily}`,
    grid: { stroke: () => colour('edge'), width: 1 },
    ticks: { show: false },
  }
  return {
    ...sizeOf(place),
    legend: { show: false },
    // Its own is a line of the page, with text for text.
    cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: DRAG_PX } },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most ?? 0) * 1.1] } },
    axes: [
      {
        ...axis,
        size: 32,
        values: (_plot, times, _axis, _space, stepS) => times.map((time) => timeWords(time, stepS)),
      },
      {
        ...axis,
        size: 64,
        values: (_plot, values) => values.map((value) => latest.current.figures.words(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ token, dash }) => ({
        stroke: () => colour(token),
        width: 2,
        dash: [...dash],
        // A value between two gaps has no line.
        points: { show: true, size: 4, fill: () => colour(token) },
      })),
    ],
    hooks: {
      setCursor: [({ cursor }) => latest.current.onPoint(cursor.idx ?? undefined)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width === 0) return
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          latest.current.onRange(plot.posToIdx(left), plot.posToIdx(left + width))
        },
      ],
    },
  }
}

/** Forced colours take no part in a canvas: its lines are drawn in the colour of text, and differ by their dashes. */
const colour = (token: string): string =>
  matchMedia('(forced-colors: active)').matches
    ? 'CanvasText'
    : getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim()

const DAY_S = 86_400

const timeWords = (seconds: number, stepS: number): string =>
  (stepS >= DAY_S ? formats().day : formats().minute).format(new Date(1_000 * seconds))
