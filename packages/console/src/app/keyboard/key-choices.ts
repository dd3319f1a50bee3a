import { signal } from '@preact/signals'
import { SHORTCUTS, type Shortcut, type ShortcutId } from './shortcuts.ts'

export const STORED = 'ai-ticket-console-keys'
const STORED_SINGLE = 'ai-ticket-console-single-keys'

export type Choices = Readonly<Record<string, string>>

/** Keys that the reader chose in place of the first of a shortcut, by its id. Kept in this browser. */
export const choices = signal<Choices>(readChoices(localStorage.getItem(STORED)))

/** Whether keys without a modifier work (WCAG 2.2, 2.1.4). */
export const singleKeys = signal(localStorage.getItem(STORED_SINGLE) !== 'off')

export function switchSingleKeys(on: boolean): void {
  singleKeys.value = on
  localStorage.setItem(STORED_SINGLE, on ? 'on' : 'off')
}

export const isChosen = (id: ShortcutId): boolean => choices.value[id] !== undefined

/** The keys of a shortcut: a choice replaces the first, and others, like arrows, stay. */
export function keysOf({ id, keys }: Pick<Shortcut, 'id' | 'keys'>): readonly string[] {
  const [first = '', ...others] = keys
  return [choices.value[id] ?? first, ...others]
}

/** Those that work: without the single ones where these are switched off. */
export const workingKeysOf = (shortcut: Pick<Shortcut, 'id' | 'keys'>): readonly string[] =>
  keysOf(shortcut).filter((keys) => singleKeys.value || !isSingle(keys))

/** All shortcuts. What the reader chose stands first, for an update may have brought another with the same keys. */
export const chosenFirst = (): readonly Shortcut[] =>
  (SHORTCUTS as readonly Shortcut[]).toSorted(
    (one, other) => Number(isChosen(other.id as ShortcutId)) - Number(isChosen(one.id as ShortcutId)),
  )

const byId = new Map<string, Shortcut>(SHORTCUTS.map((one) => [one.id, one]))

export const keysOfId = (id: ShortcutId): readonly string[] => workingKeysOf(byId.get(id) ?? { id, keys: [] })

/** The keys as people read them: `g h`, `Shift X`, `?`. Empty: none works. */
export const shownKeys = (id: ShortcutId): string => shown(keysOfId(id)[0] ?? '')

/** For `aria-keyshortcuts`, which knows no sequences: those are said in the help. */
export function ariaKeys(id: ShortcutId): string | undefined {
  const single = keysOfId(id).filter((keys) => keys !== '' && !keys.includes(' '))
  return single.length === 0
    ? undefined
    : single.map((keys) => plain(keys).replace('$mod', MODIFIER)).join(' ')
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform)
const MODIFIER = isMac ? 'Meta' : 'Control'

const NAMES: Readonly<Record<string, string>> = {
  $mod: isMac ? 'Cmd' : 'Ctrl',
  Control: 'Ctrl',
  ArrowDown: '↓',
  ArrowUp: '↑',
  Escape: 'Esc',
}

/** Keys as tinykeys reads them, as people do. */
export const shown = (keys: string): string =>
  keys
    .split(' ')
    .map((press) => {
      const [key = '', ...modifiers] = partsOf(press).toReversed()
      const last = modifiers.length === 0 ? key : key.replace(/^.$/, (letter) => letter.toUpperCase())
      return [...modifiers.toReversed(), last].map((part) => NAMES[part] ?? part).join(' ')
    })
    .join(' ')

/** Modifiers and key of a press, without those modifiers that do not matter. The key may be `+`. */
const partsOf = (press: string): readonly string[] => press.replaceAll(/\[\w+\]\+/g, '').split(/(?<=\w)\+/)

export const plain = (keys: string): string =>
  keys
    .split(' ')
    .map((press) => partsOf(press).join('+'))
    .join(' ')

/** A character alone is what speech input types by accident (WCAG 2.2, 2.1.4). */
function isSingle(keys: string): boolean {
  return keys.split(' ').every((press) => {
    const [key = '', ...modifiers] = partsOf(press).toReversed()
    return (key.length === 1 || key === 'Space') && modifiers.every((modifier) => modifier === 'Shift')
  })
}

/** What another version stored may be anything. */
function readChoices(stored: string | null): Choices {
  try {
    const read: unknown = JSON.parse(stored ?? '{}')
    const known = new Set<string>(SHORTCUTS.map(({ id }) => id))
    return Object.fromEntries(
      Object.entries(Object(read)).filter(
        (entry): entry is [string, string] =>
          known.has(entry[0]) && typeof entry[1] === 'string' && entry[1] !== '',
      ),
    )
  } catch {
    return {}
  }
}
