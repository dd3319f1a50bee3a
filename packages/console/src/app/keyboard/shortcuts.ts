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
  /** Holding the key does it again and again. */
  readonly repeats?: true
}

const shortcut = (group: ShortcutGroup, id: string, keys: string | readonly string[], words: string) =>
  ({ id, group, keys: [keys].flat(), words }) as const satisfies Shortcut

const moving = (id: string, keys: string | readonly string[], words: string) =>
  ({ ...shortcut('List', id, keys, words), repeats: true }) as const satisfies Shortcut

/**
 * Every key of the console, as it is unless the reader chose another. The help, the hints beside buttons,
 * `aria-keyshortcuts` and the palette all come from here, so none of them can promise another key than the one that works.
 */
export const SHORTCUTS = [
  shortcut('Go to', 'go.overview', 'g h', 'Overview'),
  shortcut('Go to', 'go.line', 'g l', 'Line'),
  shortcut('Go to', 'go.tickets', 'g p', 'Tickets'),
  shortcut('Go to', 'go.dead', 'g d', 'Dead letters'),
  shortcut('Go to', 'go.compose', 'g n', 'Compose'),
  shortcut('Go to', 'go.config', 'g c', 'Config'),
  shortcut('Go to', 'go.access', 'g k', 'Access'),
  shortcut('Anywhere', 'palette', '$mod+k', 'Find a screen, an action or a ticket'),
  shortcut('Anywhere', 'search', '[Shift]+/', 'Search'),
  shortcut('Anywhere', 'help', '[Shift]+?', 'All keys, and how to change them'),
  shortcut('Anywhere', 'theme', 't', 'Next theme'),
  shortcut('Anywhere', 'pause', '.', 'Pause what is live, or go on'),
  shortcut('Anywhere', 'reload', 'u', 'Reload'),
  moving('list.down', ['j', 'ArrowDown'], 'Down'),
  moving('list.up', ['k', 'ArrowUp'], 'Up'),
  shortcut('List', 'list.top', 'g g', 'First'),
  shortcut('List', 'list.bottom', 'Shift+G', 'Last'),
  shortcut('List', 'list.open', 'Enter', 'Open'),
  shortcut('List', 'list.peek', 'Space', 'Peek'),
  shortcut('List', 'list.select', 'x', 'Select'),
  moving('list.extendDown', 'Shift+J', 'Select downwards'),
  moving('list.extendUp', 'Shift+K', 'Select upwards'),
  shortcut('List', 'list.more', 'm', 'Load more'),
  shortcut('List', 'list.new', 'n', 'Show what is new'),
  shortcut('List', 'list.pin', 'p', 'Pin this view, or unpin it'),
  // Some keyboards have these signs with AltGr only, which is Ctrl and Alt to a browser.
  shortcut('Ticket', 'ticket.previous', '[Alt]+[Control]+[', 'Previous ticket of the list'),
  shortcut('Ticket', 'ticket.next', '[Alt]+[Control]+]', 'Next ticket of the list'),
  shortcut('Ticket', 'replay', 'r', 'Replay'),
  shortcut('Ticket', 'edit', 'e', 'Edit and replay'),
  shortcut('Ticket', 'compare', 'd', 'Compare'),
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
