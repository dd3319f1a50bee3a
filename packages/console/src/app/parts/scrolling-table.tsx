import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import { shownKeys } from '../keyboard/key-choices.ts'
import type { ShortcutId } from '../keyboard/shortcuts.ts'
import { type Handlers, useShortcuts } from '../keyboard/use-shortcuts.ts'
import { Keys } from './action.tsx'
import { say } from './notice.tsx'
import styles from './parts.module.css'

/** A table that scrolls within the page; it takes the focus, for the keyboard has to scroll it, too. */
export function ScrollingTable({
  name,
  children,
}: {
  readonly name: string
  readonly children: ComponentChildren
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class={styles.scroller} tabIndex={0} aria-label={name}>
      {children}
    </section>
  )
}

/** What the keys do in a row of a table: they move to it, and copy from it. */
export interface RowOf {
  /** Its name: of a setting, a backend, a key, or an event that is no ticket. */
  readonly name?: string | undefined
  readonly ticket?: string | undefined
  readonly value?: string | undefined
  readonly link?: string | undefined
}

/** What a row that the keys go to needs. */
export const rowOf = ({ name, ticket, value, link }: RowOf) => ({
  tabIndex: -1,
  'data-row': '',
  'data-name': name,
  'data-ticket': ticket,
  'data-value': value,
  'data-link': link,
})

// Somebody who only looks needs none of it.
const copies = async (use: (late: typeof import('./copies.ts')) => Promise<void>): Promise<void> => {
  const late = await import('./copies.ts').catch(() => undefined)
  if (late === undefined)
    say('This could not be loaded. The server is away, or was updated: reload the page.', true)
  else await use(late)
}

const COPY_KEYS = [
  'copy.link',
  'copy.id',
  'copy.prompt',
  'copy.answer',
  'copy.curl',
  'copy.code',
  'copy.batch',
] as const

/** Keys that copy of the tickets that are `chosen` when they are pressed. */
export const ticketCopies = (chosen: () => readonly string[]): Handlers =>
  Object.fromEntries(
    COPY_KEYS.map((keys) => [
      keys,
      () => {
        const ids = chosen()
        return ids.length > 0 && copies((late) => late.copyTickets(keys, ids))
      },
    ]),
  )

const ROWS = '#main tr[data-row]'

/**
 * Moves through all rows of a screen, whichever of its tables they are in; Enter is the first link of a row, or its button with `data-opens`, and never one that ends something. A row
 * that goes while it has the focus leaves its place: the next move goes on from there.
 */
export function useRowKeys(): void {
  const place = useRef(0)
  const rows = () => [...document.querySelectorAll<HTMLElement>(ROWS)]
  const here = () => document.activeElement?.closest<HTMLElement>(ROWS) ?? undefined
  const goTo = (to: number) => {
    const all = rows()
    place.current = Math.min(Math.max(0, to), all.length - 1)
    all[place.current]?.focus()
    return all.length > 0
  }
  const move = (step: number) => {
    const at = here()
    // The first press only shows where one is.
    return at === undefined ? goTo(place.current) : goTo(rows().indexOf(at) + step)
  }
  const copy = (what: string, of: (row: HTMLElement) => string | undefined) => () => {
    const row = here()
    return row !== undefined && copies((late) => late.copyAs(what, of(row)))
  }
  const ofTicket = ticketCopies(() => [here()?.dataset.ticket ?? []].flat())
  useShortcuts({
    ...ofTicket,
    'list.down': () => move(1),
    'list.up': () => move(-1),
    'list.top': () => goTo(0),
    'list.bottom': () => goTo(Number.POSITIVE_INFINITY),
    'list.open': () => {
      const way = here()?.querySelector<HTMLElement>('a, [data-opens]')
      way?.click()
      return way != null
    },
    'copy.id': () => ofTicket['copy.id']?.() || copy('the name', ({ dataset }) => dataset.name)(),
    'copy.link': () => ofTicket['copy.link']?.() || copy('the link', ({ dataset }) => dataset.link)(),
    'copy.value': copy('the value', ({ dataset }) => dataset.value),
  })
}

const HINTS: readonly (readonly [ShortcutId, string])[] = [
  ['list.down', 'next row'],
  ['list.up', 'row above'],
  ['list.open', 'open it'],
  ['copy.id', 'copy its id or name'],
  ['help', 'all keys'],
]

/** What the keys do in the rows of this screen, for somebody who has a keyboard. */
export function RowHints() {
  return (
    <p class={styles.hints} aria-hidden="true">
      {HINTS.filter(([keys]) => shownKeys(keys) !== '').map(([keys, words]) => (
        <span key={keys}>
          <Keys of={keys} /> {words}
        </span>
      ))}
    </p>
  )
}
