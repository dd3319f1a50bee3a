import { effect } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { createKeybindingsHandler } from 'tinykeys'
import { chosenFirst, workingKeysOf } from './key-choices.ts'
import { SHORTCUTS, type Shortcut, type ShortcutId } from './shortcuts.ts'

/** `false`: there is nothing to do, and the browser may have the key. */
type Handler = () => unknown
export type Handlers = { readonly [Id in ShortcutId]?: Handler | undefined }

/** What is on the page, the newest last: a screen's handlers stand before those of the frame. */
const layers: { current: Handlers }[] = []

/** Answers these keys while the component is there. */
export function useShortcuts(handlers: Handlers): void {
  const layer = useRef(handlers)
  layer.current = handlers
  // Before the browser paints: what can be seen can be done.
  useLayoutEffect(() => {
    layers.push(layer)
    return () => void layers.splice(layers.indexOf(layer), 1)
  }, [])
}

/** What can be done on the page now, in the order of the table. */
export function actionsHere(): readonly { readonly id: ShortcutId; readonly run: Handler }[] {
  return SHORTCUTS.flatMap(({ id }) => {
    const run = handlerOf(id)
    return run === undefined ? [] : [{ id, run }]
  })
}

const handlerOf = (id: ShortcutId): Handler | undefined =>
  layers.findLast((layer) => layer.current[id])?.current[id]

/** Listens for all keys of the table. To be called once. */
export function listenForKeys(): void {
  let handle: (event: KeyboardEvent) => void = () => {}
  const listen = () => {
    const bindings = bindingsFor((shortcut, event) => {
      // A handler that has fired still waits for the ends of other sequences: after `g k`, a `p` alone would be `g p`.
      listen()
      press(shortcut, event)
    })
    handle = createKeybindingsHandler(bindings, { ignore: isForSomethingElse })
  }
  effect(listen)
  window.addEventListener('keydown', (event) => handle(event))
}

type Bindings = Record<string, (event: KeyboardEvent) => void>

/** The longest first: the end of a sequence may be a key of its own. */
function bindingsFor(fire: (shortcut: Shortcut, event: KeyboardEvent) => void): Bindings {
  const all = chosenFirst().flatMap((shortcut) => workingKeysOf(shortcut).map((keys) => ({ shortcut, keys })))
  const bindings: Bindings = {}
  for (const { shortcut, keys } of all.toSorted((one, other) => pressesIn(other) - pressesIn(one)))
    bindings[keys] ??= (event) => fire(shortcut, event)
  return bindings
}

const pressesIn = ({ keys }: { readonly keys: string }): number => keys.split(' ').length

/** Whether the last press was ours: then so is the key while it is held. */
let wasOurs = false

function press({ id, repeats }: Shortcut, event: KeyboardEvent): void {
  if (event.defaultPrevented) return
  if (!event.repeat || repeats) {
    const handler = handlerOf(id as ShortcutId)
    wasOurs = handler !== undefined && handler() !== false
  }
  if (wasOurs) event.preventDefault()
}

let held = 0

/** Keeps every key from doing something until a promise has settled: a dialog that will have them is on its way. */
export function holdKeys(until: Promise<unknown>): void {
  const release = () => {
    held -= 1
  }
  held += 1
  until.then(release, release)
}

const TYPED_INTO = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]'
/** These have an Enter or a space of their own. */
const PRESSED = { Enter: 'button, a, summary', ' ': 'button, summary, [type=checkbox], [type=radio]' }

/** Somebody types, an input method composes, or a dialog has the keys. */
function isForSomethingElse(event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : undefined
  if (event.isComposing || held > 0) return true
  if (document.querySelector('dialog[open]') !== null) return true
  // With Ctrl or Cmd it is no text, unless AltGr is what sets them.
  const isModified = event.ctrlKey || event.metaKey
  if (target?.matches(TYPED_INTO)) return !isModified || event.getModifierState('AltGraph')
  // A button and a link have their own Enter.
  const pressed = event.key === 'Enter' || event.key === ' ' ? PRESSED[event.key] : undefined
  return !isModified && pressed !== undefined && target?.closest(pressed) != null
}
