import { beforeEach, expect, test, vi } from 'vitest'
import { SHORTCUTS, type ShortcutId } from './shortcuts.ts'

const stored = new Map<string, string>()
vi.stubGlobal('localStorage', {
  getItem: (name: string) => stored.get(name) ?? null,
  setItem: (name: string, value: string) => stored.set(name, value),
})
vi.stubGlobal('navigator', { platform: 'Linux x86_64' })

/** As after a reload. */
const reloaded = async () => {
  vi.resetModules()
  return {
    ...(await import('./key-choices.ts')),
    ...(await import('./change-keys.ts')),
    ...(await import('./presses.ts')),
  }
}

beforeEach(() => stored.clear())

const NOTHING_HELD = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false }

const press = (key: string, held: Partial<KeyboardEvent> = {}, isAltGraph = false) =>
  ({ ...NOTHING_HELD, ...held, key, getModifierState: () => isAltGraph }) as KeyboardEvent

test('every key has words, in one group of the help', async () => {
  const { KEY_WORDS } = await reloaded()
  const said = Object.values(KEY_WORDS).flatMap((group) => Object.keys(group))
  expect(said.toSorted()).toEqual(SHORTCUTS.map(({ id }) => id).toSorted())
})

test('no key of the table is the key of another, or its beginning', async () => {
  const { clashOf, keysOf } = await reloaded()
  for (const one of SHORTCUTS)
    for (const keys of keysOf(one))
      expect([one.id, keys, clashOf(one.id, keys)?.id]).toEqual([one.id, keys, undefined])
})

test('a choice replaces the first key, lasts, and can be taken back', async () => {
  const before = await reloaded()
  before.chooseKeys('list.down', 'Alt+n')
  const { shownKeys, ariaKeys, hasChoices, resetKeys, clashOf } = await reloaded()
  expect(shownKeys('list.down')).toBe('Alt N')
  expect(ariaKeys('list.down')).toBe('Alt+n ArrowDown')
  expect(clashOf('replay', 'Alt+N')?.id).toBe('list.down')
  expect(clashOf('replay', 'j')).toBe(undefined)
  expect(clashOf('replay', 'g')?.id).toBe('go.overview')
  expect(clashOf('replay', 'x a')?.id).toBe('list.select')
  resetKeys('list.down')
  expect([shownKeys('list.down'), hasChoices()]).toEqual(['j', false])
})

test('with single keys off, those stay that have a modifier or are no character', async () => {
  const { switchSingleKeys, shownKeys, ariaKeys } = await reloaded()
  switchSingleKeys(false)
  const shown = (ids: readonly ShortcutId[]) => ids.map((id) => shownKeys(id))
  expect(shown(['replay', 'cancel', 'go.line', 'help', 'list.peek', 'tab.1', 'ticket.next'])).toEqual(
    Array(7).fill(''),
  )
  expect(shown(['palette', 'send', 'back', 'list.open', 'list.down'])).toEqual([
    ...['Ctrl K', 'Ctrl Enter', 'Esc', 'Enter', '↓'],
  ])
  expect(ariaKeys('palette')).toBe('Control+k')
  expect(ariaKeys('replay')).toBe(undefined)
})

test('a press is read as it is bound', async () => {
  const { pressOf, shown } = await reloaded()
  const read = [
    press('r'),
    press('R', { shiftKey: true }),
    press('?', { shiftKey: true }),
    press('k', { ctrlKey: true }),
    press(' '),
    press('+', { altKey: true }),
    press('[', { ctrlKey: true, altKey: true }, true),
  ].map(pressOf)
  expect(read).toEqual(['r', 'Shift+R', '[Shift]+?', '$mod+k', 'Space', 'Alt++', '[Alt]+[Control]+['])
  expect(read.map((keys) => shown(keys ?? ''))).toEqual([
    'r',
    'Shift R',
    '?',
    'Ctrl K',
    'Space',
    'Alt +',
    '[',
  ])
  for (const half of ['Shift', 'Control', 'AltGraph', 'Dead', 'Process'])
    expect([half, pressOf(press(half))]).toEqual([half, undefined])
})

test('what another version has stored does no harm', async () => {
  for (const odd of ['', '{', '[]', 'null', '{"replay":7,"gone":"z","edit":""}']) {
    stored.set('ai-ticket-console-keys', odd)
    const { hasChoices } = await reloaded()
    expect([odd, hasChoices()]).toEqual([odd, false])
  }
})
