import type { ComponentChildren } from 'preact'
import styles from './parts.module.css'

/** A table that scrolls within the page; it takes the focus, for the keyboard has to scroll it, too. */
export function ScrollingTable({
  name,
  children,
}: {
  readonly name: string
  readonly children: ComponentChildren
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class={styles.scroller} tabIndex={0} aria-label={name}>
      {children}
    </section>
  )
}
