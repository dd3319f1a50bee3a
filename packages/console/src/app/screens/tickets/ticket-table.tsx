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

/** Drawn again only when a row, or where one is, has changed. */
export class TicketTable extends Component<TableProps> {
  override shouldComponentUpdate({ rows, table, isWhole }: TableProps): boolean {
    const { props } = this
    return (
      rows !== props.rows ||
      isWhole !== props.isWhole ||
      table.index !== props.table.index ||
      table.selectedIds !== props.table.selectedIds
    )
  }

  override render({ rows, table, isWhole, open }: TableProps) {
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
          {rows.map((row, index) => (
            <Row
              key={row.id}
              row={row}
              index={index}
              isCurrent={index === table.index}
              isSelected={table.selectedIds.has(row.id)}
              focused={() => table.setCurrentId(row.id)}
              open={() => open(row)}
            />
          ))}
        </tbody>
      </table>
    )
  }
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
        <td class={`${styles.amount} ${styles.minor}`}>{shownMs(row.duration_ms)}</td>
        <td class={`${styles.amount} ${styles.spare}`}>{shownMs(row.wasted_ms || undefined)}</td>
      </tr>
    )
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')

const shownMs = (ms: number | undefined): string => (ms === undefined ? '' : duration(ms))
