import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { createKeybindingsHandler } from 'tinykeys'
import { isSingleKey, SHORTCUTS, type Shortcut, type ShortcutId } from './shortcuts.ts'

type Handler = (event: KeyboardEvent) => void
export type Handlers = { readonly [Id in ShortcutId]?: Handler | undefined }

/** What is on the page, the newest last: a screen's handlers stand before those of the frame. */
const layers: { current: Handlers }[] = []

const STORED = 'ai-ticket-console-single-keys'

/** Whether keys without a modifier work (WCAG 2.2, 2.1.4). */
export const singleKeys = signal(localStorage.getItem(STORED) !== 'off')

export function switchSingleKeys(on: boolean): void {
  singleKeys.value = on
  localStorage.setItem(STORED, on ? 'on' : 'off')
}

/** Answers these keys while the component is there. */
export function useShortcuts(handlers: Handlers): void {
  const layer = useRef(handlers)
  layer.current = handlers
  useEffect(() => {
    layers.push(layer)
    return () => void layers.splice(layers.indexOf(layer), 1)
  }, [])
}

/** Listens for all keys of the table. To be called once. */
export function listenForKeys(): void {
  const bindings = (SHORTCUTS as readonly Shortcut[]).flatMap((shortcut) =>
    shortcut.keys.map((keys) => [keys, (event: KeyboardEvent) => fire(shortcut, event)] as const),
  )
  const listen = () => createKeybindingsHandler(Object.fromEntries(bindings), { ignore: isForSomethingElse })
  let handle = listen()
  // A handler that has fired still waits for the ends of other sequences: after `g k`, a `p` alone would be `g p`.
  const fire = (shortcut: Shortcut, event: KeyboardEvent) => {
    handle = listen()
    press(shortcut, event)
  }
  window.addEventListener('keydown', (event) => handle(event))
}

function press(shortcut: Shortcut, event: KeyboardEvent): void {
  if (event.defaultPrevented || (isSingleKey(shortcut) && !singleKeys.value)) return
  const handler = layers.findLast((layer) => layer.current[shortcut.id as ShortcutId])?.current[
    shortcut.id as ShortcutId
  ]
  if (handler === undefined) return
  event.preventDefault()
  handler(event)
}

const TYPED_INTO = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]'

/** Somebody types, an input method composes, or a dialog has the keys. */
function isForSomethingElse(event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : undefined
  if (event.isComposing || (event.repeat && event.key === 'Enter')) return true
  if (document.querySelector('dialog[open]') !== null) return true
  // With Ctrl or Cmd it is no text.
  if (target?.matches(TYPED_INTO)) return !(event.ctrlKey || event.metaKey)
  // A button and a link have their own Enter.
  return event.key === 'Enter' && target?.closest('button, a, summary') != null
}
