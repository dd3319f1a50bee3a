import { useEffect, useRef, useState } from 'preact/hooks'
import type { TicketRow } from '../../api/tickets.ts'
import { ariaKeys } from '../../keyboard/key-choices.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { liveDesk } from '../../live/live.ts'
import { Keys } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { useSuggestions } from '../../parts/suggestions.tsx'
import {
  type Completion,
  completionsOf,
  type Filters,
  type KnownValues,
  readSearch,
  VALUES,
  writeSearch,
} from './filters.ts'
import styles from './tickets.module.css'

interface SearchProps {
  readonly filters: Filters
  readonly show: (filters: Filters) => void
  /** What is in the list now: its keys and errors are offered. */
  readonly rows: readonly TicketRow[]
  /** Esc. */
  readonly leave: () => void
}

/** The filters of the address as one line, which completes what is typed. */
export function SearchField({ filters, show, rows, leave }: SearchProps) {
  const [problem, setProblem] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const written = writeSearch(filters)
  const { typed, type, offer, isOffering } = useTyping(written)
  useEffect(() => setProblem(''), [written])
  const completions = isOffering ? completionsOf(typed, { ...VALUES, ...seenIn(rows) }) : []
  const { field, list } = useSuggestions({
    name: 'Completions',
    suggestions: completions.map((one) => suggestionOf(one, type)),
  })
  useShortcuts({
    search: () => {
      input.current?.focus()
      input.current?.select()
    },
  })
  const submit = (event: Event) => {
    event.preventDefault()
    const read = readSearch(typed)
    offer(false)
    setProblem(read.ok ? '' : read.problem)
    if (read.ok) show(read.filters)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    // Down asks for all that there is.
    if (event.key === 'ArrowDown' && !isOffering) offer(true)
    if (event.key !== 'Escape' || event.isComposing) return field.onKeyDown(event)
    event.preventDefault()
    if (completions.length > 0) offer(false)
    else leave()
  }
  return (
    <search class={styles.searching}>
      <form class={styles.search} onSubmit={submit}>
        <div class={styles.completing}>
          <input
            {...field}
            ref={input}
            type="text"
            aria-label="Search"
            aria-keyshortcuts={ariaKeys('search')}
            aria-invalid={problem !== ''}
            aria-describedby="search-problem"
            placeholder={'status:failed metadata.order:4711 "free text"'}
            value={typed}
            onInput={(event) => type(event.currentTarget.value, event.currentTarget.value !== '')}
            onBlur={() => offer(false)}
            onKeyDown={onKeyDown}
          />
          {list}
        </div>
        <button type="submit">
          Search <Keys of="search" />
        </button>
        <Problem words={problem} />
      </form>
    </search>
  )
}

const suggestionOf = ({ words, typed }: Completion, type: (next: string, isMore: boolean) => void) => ({
  id: words,
  words: <CallerText text={words} />,
  take: () => type(typed, typed.endsWith(':')),
})

const Problem = ({ words }: { readonly words: string }) => (
  <span id="search-problem" class={styles.error} role="alert">
    {words}
  </span>
)

/** What is in the field: the filters of the address, until somebody types. */
function useTyping(written: string) {
  const [typed, setTyped] = useState(written)
  const [isOffering, offer] = useState(false)
  const type = (next: string, isMore: boolean) => {
    setTyped(next)
    offer(isMore)
  }
  useEffect(() => type(written, false), [written])
  return { typed, type, offer, isOffering }
}

function seenIn(rows: readonly TicketRow[]): KnownValues {
  const backends = liveDesk.value?.backends ?? []
  const distinct = (values: readonly (string | undefined)[]) =>
    [...new Set(values)].filter((value) => value !== undefined && value !== '') as string[]
  return {
    backend: backends.map(({ name }) => name),
    model: distinct([...backends.flatMap(({ models }) => models), ...rows.map(({ model }) => model)]),
    error: distinct(rows.map(({ error }) => error)),
    key: distinct(rows.map(({ caller }) => caller)),
  }
}
