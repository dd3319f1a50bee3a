import type { ComponentChildren } from 'preact'
import { ariaKeys, type ShortcutId, shownKeys } from '../keyboard/shortcuts.ts'
import styles from './parts.module.css'

/** The keys of an action, beside it. */
export function Keys({ of }: { readonly of: ShortcutId }) {
  return (
    <span aria-hidden="true">
      <kbd>{shownKeys(of)}</kbd>
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
      disabled={unable !== undefined}
      title={unable}
      onClick={does}
      {...(pressed !== undefined && { 'aria-keyshortcuts': pressed })}
    >
      {children}
      {keys !== undefined && <Keys of={keys} />}
    </button>
  )
}
