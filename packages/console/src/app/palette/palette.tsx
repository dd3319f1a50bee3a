import { matchSorter } from 'match-sorter'
import { useMemo, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { ticketPath } from '../api/addresses.ts'
import { wordsOf } from '../keyboard/change-keys.ts'
import { shownKeys } from '../keyboard/key-choices.ts'
import { isPressOf } from '../keyboard/presses.ts'
import type { ShortcutId } from '../keyboard/shortcuts.ts'
import { actionsHere } from '../keyboard/use-shortcuts.ts'
import { liveDesk } from '../live/live.ts'
import { NAVIGATION, screenPath } from '../navigation.ts'
import { STEER_WORDS, steer } from '../parts/backend-table.tsx'
import { CallerText } from '../parts/caller-text.tsx'
import { afterDialog, Dialog } from '../parts/dialog.tsx'
import { say } from '../parts/notice.tsx'
import { type Suggestion, useSuggestions } from '../parts/suggestions.tsx'
import { pinnedViews } from '../parts/ticket-views.ts'
import styles from './palette.module.css'

/** Something to go to, or to do. */
interface Item {
  readonly id: string
  readonly group: string
  readonly words: string
  readonly keys?: ShortcutId
  readonly run: () => unknown
}

/** Goes anywhere and does anything that a key does, by its name. Enter takes the first. */
export function Palette({ close }: { readonly close: () => void }) {
  const { route } = useLocation()
  const [typed, setTyped] = useState('')
  // Once: the list must not change under the reader's eyes.
  const items = useMemo(() => [...screens(route), ...actions(), ...backends(), ...views(route)], [])
  const found = [...tickets(typed, route), ...matched(items, typed), ...searches(typed, route)]
  const { field, list } = useSuggestions({
    name: 'What there is',
    isFirstReady: true,
    suggestions: found.slice(0, MOST_SHOWN).map((item) => suggestionOf(item, close)),
  })
  return (
    <Dialog title="Go or do" close={close}>
      <div class={styles.palette}>
        <input
          {...field}
          type="text"
          aria-label="Screen, action, backend, pinned view, id of a ticket"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (!isPressOf(event, 'palette')) return field.onKeyDown(event)
            event.preventDefault()
            close()
          }}
        />
        {list}
        {found.length === 0 && <p role="status">Nothing here is called that.</p>}
      </div>
    </Dialog>
  )
}

/** More is not read, but narrowed down. */
const MOST_SHOWN = 60

type Route = (path: string) => void

const screens = (route: Route): readonly Item[] =>
  NAVIGATION.map(({ path, title, keys }) => ({
    id: keys,
    group: 'Screen',
    words: title,
    keys,
    run: () => route(screenPath(path)),
  }))

/** Those of the keys that do something here. Screens stand above. */
function actions(): readonly Item[] {
  const above = new Set<string>(['palette', ...NAVIGATION.map(({ keys }) => keys)])
  return actionsHere()
    .filter(({ id }) => !above.has(id))
    .map(({ id, run }) => ({
      id,
      group: 'Action',
      words: wordsOf(id),
      keys: id,
      run: () => {
        if (run() === false) say('There is nothing to do that with: go to a row first.', true)
      },
    }))
}

const backends = (): readonly Item[] =>
  (liveDesk.value?.backends ?? []).flatMap(({ name, paused }) =>
    ([paused ? 'resume' : 'pause', 'probe'] as const).map((action) => ({
      id: `${action} ${name}`,
      group: 'Backend',
      words: `${STEER_WORDS[action]} ${name}`,
      run: () => steer(name, action),
    })),
  )

const views = (route: Route): readonly Item[] =>
  pinnedViews.value.map(({ query, words }) => ({
    id: `view ${query}`,
    group: 'Pinned view',
    words,
    run: () => route(`${screenPath('tickets')}${query}`),
  }))

function matched(items: readonly Item[], typed: string): readonly Item[] {
  const wanted = typed.trim()
  if (wanted === '') return items
  return matchSorter(items, wanted, {
    keys: [({ words }) => words, ({ group, words }) => `${group} ${words}`],
  })
}

/** A pasted id, or an address that holds one. */
function tickets(typed: string, route: Route): readonly Item[] {
  const [id] = /\btkt_[\w-]{8,}/.exec(typed) ?? []
  if (id === undefined) return []
  return [{ id, group: 'Ticket', words: `Open ${id}`, run: () => route(ticketPath(id)) }]
}

function searches(typed: string, route: Route): readonly Item[] {
  const wanted = typed.trim()
  if (wanted === '') return []
  const to = (name: string) => () =>
    route(`${screenPath('tickets')}?${new URLSearchParams({ [name]: wanted })}`)
  return [
    ...(/^\S{4,}$/.test(wanted)
      ? [{ id: 'by event', group: 'Tickets', words: `With the event id ${wanted}`, run: to('event_id') }]
      : []),
    { id: 'by text', group: 'Tickets', words: `With the text ${wanted}`, run: to('text') },
  ]
}

function suggestionOf({ id, group, words, keys, run }: Item, close: () => void): Suggestion {
  const pressed = keys === undefined ? '' : shownKeys(keys)
  return {
    id,
    words: (
      <>
        <span class={styles.group}>{group}</span> <CallerText text={words} />
      </>
    ),
    ...(pressed !== '' && { hint: <kbd>{pressed}</kbd> }),
    take: () => {
      close()
      // It may want the focus.
      afterDialog(run)
    },
  }
}
