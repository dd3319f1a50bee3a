import { type Choices, choices, keysOf, STORED } from './key-choices.ts'
import { compared } from './presses.ts'
import { SHORTCUTS, type Shortcut, type ShortcutId } from './shortcuts.ts'

/** Where a shortcut works, as the help groups it. */
type ShortcutGroup = 'Go to' | 'Anywhere' | 'List' | 'Ticket' | 'Copy a ticket or a row' | 'Send and apply'

/** What each key does, in the order of the help; loaded when somebody wants to read it. */
export const KEY_WORDS: Readonly<Record<ShortcutGroup, { readonly [Id in ShortcutId]?: string }>> = {
  'Go to': {
    'go.overview': 'Overview',
    'go.line': 'Line',
    'go.tickets': 'Tickets',
    'go.dead': 'Dead letters',
    'go.compose': 'Compose',
    'go.config': 'Config',
    'go.access': 'Access',
  },
  Anywhere: {
    palette: 'Find a screen, an action or a ticket',
    search: 'Search',
    help: 'All keys, and how to change them',
    theme: 'Next theme',
    zone: 'Times in UTC, or in your zone',
    pause: 'Pause what is live, or go on',
    reload: 'Reload',
  },
  List: {
    'list.down': 'Down',
    'list.up': 'Up',
    'list.top': 'First',
    'list.bottom': 'Last',
    'list.open': 'Open',
    'list.peek': 'Peek',
    'list.select': 'Select',
    'list.extendDown': 'Select downwards',
    'list.extendUp': 'Select upwards',
    'list.more': 'Load more',
    'list.new': 'Show what is new',
    'list.pin': 'Pin this view, or unpin it',
  },
  Ticket: {
    'ticket.previous': 'Previous ticket of the list',
    'ticket.next': 'Next ticket of the list',
    replay: 'Replay',
    edit: 'Edit and replay',
    compare: 'Compare',
    cancel: 'Cancel',
    'tab.1': 'First tab',
    'tab.2': 'Second tab',
    'tab.3': 'Third tab',
    'tab.4': 'Fourth tab',
    'tab.5': 'Fifth tab',
    'tab.6': 'Sixth tab',
    back: 'Back',
  },
  'Copy a ticket or a row': {
    'copy.link': 'Copy the link',
    'copy.id': 'Copy the id or name',
    'copy.prompt': 'Copy the prompt',
    'copy.answer': 'Copy the answer',
    'copy.curl': 'Copy as curl',
    'copy.code': 'Copy as TypeScript',
    'copy.batch': 'Copy as a batch line',
    'copy.value': 'Copy the value',
  },
  'Send and apply': {
    send: 'Send, or apply changes',
  },
}

/** What a shortcut does. */
export const wordsOf = (id: ShortcutId): string =>
  Object.values(KEY_WORDS).find((group) => group[id] !== undefined)?.[id] ?? id

/** Whether any shortcut has other keys than it came with. */
export const hasChoices = (): boolean => Object.keys(choices.value).length > 0

/** The shortcut that already has these keys, or that begins with them or they with it; undefined: they are free. */
export function clashOf(id: ShortcutId, keys: string): Shortcut | undefined {
  const wanted = compared(keys)
  return (SHORTCUTS as readonly Shortcut[]).find(
    (other) =>
      other.id !== id &&
      keysOf(other)
        .map(compared)
        .some((taken) => wanted.startsWith(taken) || taken.startsWith(wanted)),
  )
}

/** To be asked of `clashOf` first. */
export const chooseKeys = (id: ShortcutId, keys: string): void => keep({ ...choices.value, [id]: keys })

/** Gives a shortcut the keys back that it came with; without an id, all of them. */
export function resetKeys(id?: ShortcutId): void {
  keep(
    id === undefined ? {} : Object.fromEntries(Object.entries(choices.value).filter(([one]) => one !== id)),
  )
}

function keep(next: Choices): void {
  choices.value = next
  localStorage.setItem(STORED, JSON.stringify(next))
}
