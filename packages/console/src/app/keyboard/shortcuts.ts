export interface Shortcut {
  readonly id: string
  /**
   * As tinykeys reads it: presses of a sequence apart by a space, `[Shift]` with or without, for keyboards differ in where
   * a sign is. Several: any of them.
   */
  readonly keys: readonly string[]
  /** Holding the key does it again and again. */
  readonly repeats?: true
}

const shortcut = <Id extends string>(id: Id, ...keys: readonly string[]) => ({ id, keys }) satisfies Shortcut

const moving = <Id extends string>(id: Id, ...keys: readonly string[]) =>
  ({ id, keys, repeats: true }) as const satisfies Shortcut

/**
 * Every key of the console, as it is unless the reader chose another; `change-keys.ts` has the words for each. The help, the
 * hints beside buttons, `aria-keyshortcuts` and the palette all come from here, so none of them can promise another key than
 * the one that works.
 */
export const SHORTCUTS = [
  shortcut('go.overview', 'g h'),
  shortcut('go.line', 'g l'),
  shortcut('go.tickets', 'g p'),
  shortcut('go.dead', 'g d'),
  shortcut('go.compose', 'g n'),
  shortcut('go.config', 'g c'),
  shortcut('go.access', 'g k'),
  shortcut('palette', '$mod+k'),
  shortcut('search', '[Shift]+/'),
  shortcut('help', '[Shift]+?'),
  shortcut('theme', 't'),
  shortcut('zone', 'Shift+T'),
  shortcut('pause', '.'),
  shortcut('reload', 'u'),
  moving('list.down', 'j', 'ArrowDown'),
  moving('list.up', 'k', 'ArrowUp'),
  shortcut('list.top', 'g g'),
  shortcut('list.bottom', 'Shift+G'),
  shortcut('list.open', 'Enter'),
  shortcut('list.peek', 'Space'),
  shortcut('list.select', 'x'),
  moving('list.extendDown', 'Shift+J'),
  moving('list.extendUp', 'Shift+K'),
  shortcut('list.more', 'm'),
  shortcut('list.new', 'n'),
  shortcut('list.pin', 'p'),
  // Some keyboards have these signs with AltGr only, which is Ctrl and Alt to a browser.
  shortcut('ticket.previous', '[Alt]+[Control]+['),
  shortcut('ticket.next', '[Alt]+[Control]+]'),
  shortcut('replay', 'r'),
  shortcut('edit', 'e'),
  shortcut('compare', 'd'),
  shortcut('cancel', 'Shift+X'),
  shortcut('copy.link', 'y l'),
  shortcut('copy.id', 'y i'),
  shortcut('copy.prompt', 'y p'),
  shortcut('copy.answer', 'y a'),
  shortcut('copy.curl', 'y c'),
  shortcut('copy.code', 'y t'),
  shortcut('copy.batch', 'y b'),
  shortcut('copy.value', 'y v'),
  shortcut('tab.1', '1'),
  shortcut('tab.2', '2'),
  shortcut('tab.3', '3'),
  shortcut('tab.4', '4'),
  shortcut('tab.5', '5'),
  shortcut('tab.6', '6'),
  shortcut('send', '$mod+Enter'),
  shortcut('back', 'Escape'),
] as const satisfies readonly Shortcut[]

export type ShortcutId = (typeof SHORTCUTS)[number]['id']
