import { signal } from '@preact/signals'
import styles from './parts.module.css'

interface Notice {
  readonly words: string
  readonly isBad: boolean
}

const current = signal<Notice | undefined>(undefined)
const SHOWN_MS = 6_000
let hide: ReturnType<typeof setTimeout> | undefined

/** Says what an action has done, to eyes and ears, for a few seconds. */
export function say(words: string, isBad = false): void {
  clearTimeout(hide)
  current.value = { words, isBad }
  hide = setTimeout(() => (current.value = undefined), SHOWN_MS)
}

/** Where notices appear. The live region is always there: one that comes with its words is not read out. */
export function Notices() {
  const notice = current.value
  return (
    <div role="status">
      {notice && <p class={`${styles.notice} ${notice.isBad ? styles.bad : ''}`}>{notice.words}</p>}
    </div>
  )
}
