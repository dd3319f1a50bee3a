import type { ComponentChildren } from 'preact'
import { ariaKeys, shownKeys } from '../keyboard/key-choices.ts'
import type { ShortcutId } from '../keyboard/shortcuts.ts'
import { say } from './notice.tsx'
import styles from './parts.module.css'

/** The keys of an action, beside it; nothing while they do not work. */
export function Keys({ of }: { readonly of: ShortcutId }) {
  const shown = shownKeys(of)
  if (shown === '') return null
  return (
    <span aria-hidden="true">
      <kbd>{shown}</kbd>
    </span>
  )
}

interface ActionProps {
  readonly does: () => void
  readonly keys?: ShortcutId
  readonly look?: 'primary' | 'danger'
  /** Why it cannot be done now; undefined: it can. It stays in reach, so that its reason can be read. */
  readonly unable?: string | undefined
  readonly children: ComponentChildren
}

/** A button with its key. */
export function Action({ does, keys, look, unable, children }: ActionProps) {
  const pressed = keys === undefined ? undefined : ariaKeys(keys)
  return (
    <button
      type="button"
      class={look === undefined ? undefined : styles[look]}
      // `disabled` would take it out of the reach of Tab, and its reason with it.
      aria-disabled={unable !== undefined}
      title={unable}
      onClick={() => (unable === undefined ? does() : say(`${unable}.`, true))}
      {...(pressed !== undefined && { 'aria-keyshortcuts': pressed })}
    >
      {children}
      {keys !== undefined && <Keys of={keys} />}
    </button>
  )
}
