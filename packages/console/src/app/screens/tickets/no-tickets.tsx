import { curlOf } from '../../api/tickets.ts'
import { screenPath } from '../../navigation.ts'
import type { Filters } from './filters.ts'
import styles from './tickets.module.css'

/** Nobody has sent anything yet: how to. */
export function NeverUsed() {
  const line = curlOf({ content: 'Hello!' })
  return (
    <div class={styles.empty}>
      <h2>No tickets yet</h2>
      <p>
        Write the first one in <a href={screenPath('compose')}>Compose</a>, or send it from a terminal:
      </p>
      <pre>{line}</pre>
    </div>
  )
}

/** There are tickets, but none like this: each filter can be taken away. */
export function NoResult({
  filters,
  show,
}: {
  readonly filters: Filters
  readonly show: (filters: Filters) => void
}) {
  return (
    <div class={styles.empty}>
      <h2>No ticket fits</h2>
      <p>The list was searched to its end. Take away a filter above, or all of them:</p>
      <button type="button" onClick={() => show({})}>
        Remove {Object.keys(filters).length === 1 ? 'the filter' : 'all filters'}
      </button>
    </div>
  )
}
