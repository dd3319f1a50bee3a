import type { ComponentChildren, ComponentType } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { holdKeys } from '../keyboard/use-shortcuts.ts'
import { say } from './notice.tsx'

const afterwards: (() => unknown)[] = []

/** Does something once the dialog that is closing is gone and has given the focus back. */
export const afterDialog = (run: () => unknown): void => void afterwards.push(run)

/** A native modal dialog: the browser keeps the focus in it and gives it back afterwards. `close` is also Esc. */
export function Dialog({
  title,
  close,
  children,
}: {
  readonly title: string
  readonly close: () => void
  readonly children: ComponentChildren
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  // Not a frame in which neither the dialog nor what was before has the focus.
  useLayoutEffect(() => {
    const before = document.activeElement
    const opened = dialog.current
    opened?.showModal()
    return () => {
      opened?.close()
      if (before instanceof HTMLElement) before.focus()
      for (const run of afterwards.splice(0)) queueMicrotask(run)
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      tabIndex={-1}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  )
}

/**
 * A dialog whose code is loaded when it is opened first. Until it is there, keys do nothing: they are meant for it. A part of
 * the page that has no keys to itself (`isModal` is false) leaves them alone.
 */
export function lateDialog<Props extends { readonly close?: () => void }>(
  load: () => Promise<ComponentType<Props>>,
  isModal = true,
): ComponentType<Props> {
  let Loaded: ComponentType<Props> | undefined
  return function LateDialog(props: Props) {
    const [, showIt] = useState(false)
    useEffect(() => {
      if (Loaded) return
      const loading = load().then(
        (loaded) => {
          Loaded = loaded
          showIt(true)
        },
        () => {
          props.close?.()
          say('This could not be loaded. The server is away, or was updated: reload the page.', true)
        },
      )
      if (isModal) holdKeys(loading)
    }, [])
    return Loaded === undefined ? null : <Loaded {...props} />
  }
}
