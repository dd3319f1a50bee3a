import type { DeskBody } from '../api/desk.ts'
import { CallerText } from './caller-text.tsx'
import styles from './parts.module.css'
import { ScrollingTable } from './scrolling-table.tsx'
import { Status } from './status.tsx'

/** Every backend: how it is, and what was learned of it. */
export function BackendTable({ backends }: { readonly backends: DeskBody['backends'] }) {
  return (
    <ScrollingTable name="Backends">
      <table class={styles.table}>
        <thead>
          <tr>
            <th>backend</th>
            <th>state</th>
            <th class={styles.numeric}>slots</th>
            <th>breaker</th>
            <th class={styles.numeric}>reads</th>
            <th class={styles.numeric}>writes</th>
            <th class={styles.numeric}>repeats left</th>
            <th>details</th>
          </tr>
        </thead>
        <tbody>
          {backends.map((backend) => (
            <tr key={backend.name}>
              <td>
                <CallerText text={backend.name} />
              </td>
              <td>
                <Status of={backend.state} />
                {backend.paused && ', paused'}
              </td>
              <td class={styles.numeric}>
                {backend.in_flight}/{backend.concurrency}
              </td>
              <td>{backend.breaker}</td>
              <td class={styles.numeric}>{speed(backend.prompt_tokens_per_second)}</td>
              <td class={styles.numeric}>{speed(backend.completion_tokens_per_second)}</td>
              <td class={styles.numeric}>{backend.repeats_left}</td>
              <td>
                <CallerText text={backend.details ?? backend.models.join(', ')} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollingTable>
  )
}

/** Learned, so an estimate. */
const speed = (perSecond: number | undefined): string =>
  perSecond === undefined ? '' : `~${Math.round(perSecond)} tok/s`
