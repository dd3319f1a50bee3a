/** Where a shortcut works, as the help groups it. */
export type ShortcutGroup = 'Go to' | 'Anywhere' | 'List' | 'Ticket' | 'Compose'

export interface Shortcut {
  readonly id: string
  readonly group: ShortcutGroup
  /**
   * As tinykeys reads it: presses of a sequence apart by a space, `[Shift]` with or without, for keyboards differ in where
   * a sign is. Several: any of them.
   */
  readonly keys: readonly string[]
  readonly words: string
  /** Works while typing, too: it has a modifier, or ends the typing. */
  readonly whileTyping?: true
}

const shortcut = (group: ShortcutGroup, id: string, keys: string | readonly string[], words: string) =>
  ({ id, group, keys: [keys].flat(), words }) as const satisfies Shortcut

/**
 * Every key of the console. The help, the hints beside buttons and `aria-keyshortcuts` all come from here, so none of them
 * can promise another key than the one that works.
 */
export const SHORTCUTS = [
  shortcut('Go to', 'go.overview', 'g h', 'Overview'),
  shortcut('Go to', 'go.line', 'g l', 'Line'),
  shortcut('Go to', 'go.tickets', 'g p', 'Tickets'),
  shortcut('Go to', 'go.dead', 'g d', 'Dead letters'),
  shortcut('Go to', 'go.compose', 'g n', 'Compose'),
  shortcut('Go to', 'go.access', 'g k', 'Access'),
  shortcut('Anywhere', 'search', '[Shift]+/', 'Search'),
  shortcut('Anywhere', 'help', '[Shift]+?', 'This list'),
  shortcut('Anywhere', 'theme', 't', 'Next theme'),
  shortcut('Anywhere', 'pause', '.', 'Pause what is live, or go on'),
  shortcut('Anywhere', 'reload', 'u', 'Reload'),
  shortcut('List', 'list.down', ['j', 'ArrowDown'], 'Down'),
  shortcut('List', 'list.up', ['k', 'ArrowUp'], 'Up'),
  shortcut('List', 'list.top', 'g g', 'First'),
  shortcut('List', 'list.bottom', 'Shift+G', 'Last'),
  shortcut('List', 'list.open', 'Enter', 'Open'),
  shortcut('List', 'list.select', 'x', 'Select'),
  shortcut('List', 'list.extendDown', 'Shift+J', 'Select downwards'),
  shortcut('List', 'list.extendUp', 'Shift+K', 'Select upwards'),
  shortcut('List', 'list.more', 'm', 'Load more'),
  shortcut('List', 'list.new', 'n', 'Show what is new'),
  shortcut('Ticket', 'replay', 'r', 'Replay'),
  shortcut('Ticket', 'cancel', 'Shift+X', 'Cancel'),
  shortcut('Ticket', 'copy.link', 'y l', 'Copy the link'),
  shortcut('Ticket', 'copy.id', 'y i', 'Copy the id'),
  shortcut('Ticket', 'copy.prompt', 'y p', 'Copy the prompt'),
  shortcut('Ticket', 'copy.answer', 'y a', 'Copy the answer'),
  shortcut('Ticket', 'copy.curl', 'y c', 'Copy as curl'),
  shortcut('Ticket', 'copy.code', 'y t', 'Copy as TypeScript'),
  shortcut('Ticket', 'copy.batch', 'y b', 'Copy as a line of a batch'),
  shortcut('Ticket', 'tab.1', '1', 'First tab'),
  shortcut('Ticket', 'tab.2', '2', 'Second tab'),
  shortcut('Ticket', 'tab.3', '3', 'Third tab'),
  shortcut('Ticket', 'tab.4', '4', 'Fourth tab'),
  shortcut('Ticket', 'tab.5', '5', 'Fifth tab'),
  shortcut('Ticket', 'tab.6', '6', 'Sixth tab'),
  shortcut('Compose', 'send', '$mod+Enter', 'Send'),
  shortcut('Ticket', 'back', 'Escape', 'Back'),
] as const satisfies readonly Shortcut[]

export type ShortcutId = (typeof SHORTCUTS)[number]['id']

const byId = new Map<string, Shortcut>(SHORTCUTS.map((one) => [one.id, one]))

/** A single character is a key that speech input types by accident (WCAG 2.2, 2.1.4): those can be switched off. */
export const isSingleKey = ({ keys }: Shortcut): boolean =>
  keys.some((key) => key.split(' ').every((press) => /^(\[?Shift\]?\+)?[^+\s]$/.test(press)))

/** The keys as people read them: `g h`, `Shift X`, `?`. */
export const shownKeys = (id: ShortcutId): string => shown(byId.get(id)?.keys[0] ?? '')

const NAMES: Readonly<Record<string, string>> = {
  $mod: 'Ctrl',
  ArrowDown: '↓',
  ArrowUp: '↑',
  Escape: 'Esc',
}

export const shown = (keys: string): string =>
  keys
    .split(' ')
    .map((press) => NAMES[press] ?? press.replace('[Shift]+', '').replace('$mod', 'Ctrl').replace('+', ' '))
    .join(' ')

/** For `aria-keyshortcuts`, which knows no sequences: those are said in the help. */
export function ariaKeys(id: ShortcutId): string | undefined {
  const keys = (byId.get(id)?.keys ?? []).filter((key) => !key.includes(' '))
  return keys.length === 0 ? undefined : keys.map((key) => key.replace('[Shift]+', '')).join(' ')
}
