import { apiRoot } from '../../api/addresses.ts'
import type { Filters } from './filters.ts'
import styles from './tickets.module.css'

/** Nobody has sent anything yet: how to. */
export function NeverUsed() {
  const line = `curl ${location.origin}${apiRoot}tickets -H 'content-type: application/json' -d '{"content":"Hello!"}'`
  return (
    <div class={styles.empty}>
      <h2>No tickets yet</h2>
      <p>Send the first one, and it appears here:</p>
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
