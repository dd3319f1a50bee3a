import styles from './parts.module.css'

const SHAPES: Readonly<Record<string, readonly [shape: string, word: string]>> = {
  queued: ['◷', 'queued'],
  in_progress: ['▸', 'running'],
  completed: ['✓', 'completed'],
  failed: ['✕', 'failed'],
  cancelled: ['⊘', 'cancelled'],
  unknown: ['?', 'unknown'],
  ready: ['●', 'ready'],
  busy: ['◐', 'busy'],
  loading: ['◌', 'loading'],
  down: ['✕', 'down'],
  stuck: ['!', 'stuck'],
}

/** A state as shape, word and colour: no reader depends on one of them alone. */
export function Status({ of }: { readonly of: string }) {
  const [shape, word] = SHAPES[of] ?? ['?', of]
  return (
    <span class={`${styles.status} ${styles[of] ?? ''}`}>
      <span class={styles.shape} aria-hidden="true">
        {shape}
      </span>
      {word}
    </span>
  )
}
