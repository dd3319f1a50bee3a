import { Component } from 'preact'
import { ticketPath } from '../../api/addresses.ts'
import type { TicketRow } from '../../api/tickets.ts'
import { CallerText } from '../../parts/caller-text.tsx'
import { duration } from '../../parts/format.ts'
import { Status } from '../../parts/status.tsx'
import { When } from '../../parts/when.tsx'
import styles from './tickets.module.css'
import type { useRows } from './use-rows.ts'

interface TableProps {
  readonly rows: readonly TicketRow[]
  readonly table: ReturnType<typeof useRows>
  /** Whether these are all: a reader's program is told how many there are. */
  readonly isWhole: boolean
  readonly open: (row: TicketRow) => void
}

/** Of a longer list, only the rows in sight and around it are drawn: a browser needs seconds for ten thousand. */
const MOST_WHOLE = 1_000

/** Rows that come and go together. What is in sight begins in the second such block of four that are drawn. */
const BLOCK = 100
const DRAWN = 4 * BLOCK

/** All rows of the list have this height, in pixels. 0: none has been seen yet. */
let rowHeight = 0

interface Drawn {
  /** The first row of those that are drawn in a long list. */
  readonly from: number
}

/** Drawn again only when a row, or where one is, has changed, or when others come into sight. */
export class TicketTable extends Component<TableProps, Drawn> {
  override state: Drawn = { from: 0 }

  override componentDidMount(): void {
    addEventListener('scroll', this.look, { passive: true })
    this.look()
  }

  override componentDidUpdate(): void {
    this.look()
  }

  override componentWillUnmount(): void {
    removeEventListener('scroll', this.look)
  }

  override shouldComponentUpdate({ rows, table, isWhole }: TableProps, { from }: Drawn): boolean {
    const { props } = this
    return (
      rows !== props.rows ||
      isWhole !== props.isWhole ||
      table.index !== props.table.index ||
      table.selectedIds !== props.table.selectedIds ||
      from !== this.state.from
    )
  }

  private readonly look = (): void => {
    const body = this.props.table.body.current
    rowHeight ||= body?.querySelector('[data-id]')?.getBoundingClientRect().height ?? 0
    if (body === null || rowHeight === 0 || this.props.rows.length <= MOST_WHOLE) return
    const inSight = -body.getBoundingClientRect().top / rowHeight
    const from = Math.max(0, Math.floor(inSight / BLOCK) - 1) * BLOCK
    if (from !== this.state.from) this.setState({ from })
  }

  private drawRow(row: TicketRow, index: number) {
    const { table, open } = this.props
    return (
      <Row
        key={row.id}
        row={row}
        index={index}
        isCurrent={index === table.index}
        isSelected={table.selectedIds.has(row.id)}
        focused={() => table.setCurrentId(row.id)}
        open={() => open(row)}
      />
    )
  }

  override render({ rows, table, isWhole }: TableProps) {
    const bounds = boundsOf(rows.length, table.index, this.state.from)
    return (
      <table
        class={styles.table}
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: rows are selected and opened by keys
        role="grid"
        aria-rowcount={isWhole ? rows.length + 1 : -1}
        aria-label="Tickets"
      >
        <thead>
          <tr aria-rowindex={1}>
            <th class={styles.time}>time</th>
            <th class={styles.state}>status</th>
            <th>prompt</th>
            <th class={styles.spare}>answer or error</th>
            <th class={`${styles.word} ${styles.minor}`}>backend</th>
            <th class={`${styles.word} ${styles.spare}`}>who</th>
            <th class={`${styles.word} ${styles.spare}`}>came by</th>
            <th class={`${styles.amount} ${styles.spare}`}>wait</th>
            <th class={`${styles.amount} ${styles.minor}`}>total</th>
            <th class={`${styles.amount} ${styles.spare}`}>wasted</th>
          </tr>
        </thead>
        <tbody ref={table.body}>
          {bounds.slice(1).flatMap((to, nth) => {
            const from = bounds[nth] ?? 0
            return nth % 2 === 1
              ? rows.slice(from, to).map((row, below) => this.drawRow(row, from + below))
              : to > from && gap(nth, to - from)
          })}
        </tbody>
      </table>
    )
  }
}

/** Room for rows that are not drawn. */
const gap = (nth: number, rows: number) => (
  <tr key={`gap ${nth}`}>
    <td class={styles.gap} style={{ height: `${rows * rowHeight}px` }} />
  </tr>
)

/** Where rows that are drawn begin, where they end, and so on. The current row is one of them wherever it is: it may have the focus. */
function boundsOf(length: number, current: number, from: number): readonly number[] {
  if (length <= MOST_WHOLE) return [0, 0, length]
  const to = Math.min(length, from + DRAWN)
  if (current < from) return [0, current, current + 1, from, to, length]
  return current < to ? [0, from, to, length] : [0, from, to, current, current + 1, length]
}

interface RowProps {
  readonly row: TicketRow
  readonly index: number
  readonly isCurrent: boolean
  readonly isSelected: boolean
  readonly focused: () => void
  readonly open: () => void
}

/** Drawn again only when something of it has changed: a list may have thousands, and changes 20 times a second. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate({ row, index, isCurrent, isSelected }: RowProps): boolean {
    const { props } = this
    return (
      row !== props.row ||
      index !== props.index ||
      isCurrent !== props.isCurrent ||
      isSelected !== props.isSelected
    )
  }

  override render({ row, index, isCurrent, isSelected, focused, open }: RowProps) {
    return (
      <tr
        class={styles.row}
        data-id={row.id}
        aria-rowindex={index + 2}
        aria-selected={isSelected}
        tabIndex={isCurrent ? 0 : -1}
        onFocus={focused}
        onClick={(event) => {
          // A click on the link itself is the router's, and a modified one the browser's.
          if (!(event.target instanceof Element) || event.target.closest('a') === null) open()
        }}
      >
        <td>
          <a href={ticketPath(row.id)} tabIndex={-1}>
            <When at={row.created_at} />
          </a>
        </td>
        <td>
          <Status of={row.status} />
        </td>
        <td>{row.prompt === null ? <i>not kept</i> : <CallerText text={oneLine(row.prompt)} />}</td>
        <td class={styles.spare}>
          {row.error !== undefined && <span class={styles.error}>{row.error} </span>}
          <CallerText text={oneLine(row.answer ?? '')} />
        </td>
        <td class={styles.minor}>
          <CallerText text={row.backend ?? ''} />
        </td>
        <td class={styles.spare}>
          <CallerText text={row.caller ?? ''} />
        </td>
        <td class={styles.spare}>
          <CallerText text={row.door ?? ''} />
        </td>
        <td class={`${styles.amount} ${styles.spare}`}>{shownMs(row.waited_ms)}</td>
        <td class={`${styles.amount} ${styles.minor}`}>
          {row.finished_at && duration(Date.parse(row.finished_at) - Date.parse(row.created_at))}
        </td>
        <td class={`${styles.amount} ${styles.spare}`}>{shownMs(row.wasted_ms || undefined)}</td>
      </tr>
    )
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')

const shownMs = (ms: number | undefined): string => (ms === undefined ? '' : duration(ms))
