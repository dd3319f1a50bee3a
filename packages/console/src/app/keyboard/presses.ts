import { isMac, keysOfId, plain } from './key-choices.ts'
import type { ShortcutId } from './shortcuts.ts'

/** `g` begins `g h`, and not `gh`. */
export const compared = (keys: string): string => `${plain(keys).toLowerCase()} `

/** Keys that only change others, or that stand for a character that is not finished. */
const HALF = ['Shift', 'Control', 'Alt', 'AltGraph', 'Meta', 'CapsLock', 'Dead', 'Process', 'Unidentified']

/** A press as tinykeys reads it; undefined: it is not one yet. */
export function pressOf(event: KeyboardEvent): string | undefined {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event
  if (HALF.includes(key)) return undefined
  const isSign = key.length === 1 && key.toLowerCase() === key.toUpperCase()
  const name = key === ' ' ? 'Space' : key
  // Where a sign is differs between keyboards; with it, so do Shift and AltGr.
  const freely = event.getModifierState('AltGraph') ? ['[Alt]', '[Control]'] : []
  const held = [
    ctrlKey && (isMac ? 'Control' : '$mod'),
    metaKey && (isMac ? '$mod' : 'Meta'),
    altKey && 'Alt',
  ].filter((modifier) => modifier !== false)
  const shift = shiftKey ? [isSign && key !== ' ' ? '[Shift]' : 'Shift'] : []
  return [...(freely.length > 0 ? freely : held), ...shift, name].join('+')
}

/** Whether a press is the key of a shortcut, for a dialog, which has the keys to itself. */
export function isPressOf(event: KeyboardEvent, id: ShortcutId): boolean {
  const pressed = event.isComposing ? undefined : pressOf(event)
  return pressed !== undefined && keysOfId(id).some((keys) => compared(keys) === compared(pressed))
}
