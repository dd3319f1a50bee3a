import { useState } from 'preact/hooks'
import { bytes } from './format.ts'
import { showHidden } from './hidden-characters.ts'
import styles from './parts.module.css'

/** Shown at first, and each time that more is asked for. */
const PIECE = 64 * 1_024

/**
 * What a caller, a model or a server wrote: text, whatever it looks like. Characters that would hide or turn it are shown
 * as marks, addresses in it are no links, and a long one comes piece by piece.
 */
export function CallerText({ text, long = false }: { readonly text: string; readonly long?: boolean }) {
  // biome-ignore lint/complexity/noUselessFragments: a component gives one node, and this is a list
  return long ? <LongText key={text} text={text} /> : <>{stretches(text)}</>
}

function LongText({ text }: { readonly text: string }) {
  const [pieces, setPieces] = useState(1)
  const rest = text.length - pieces * PIECE
  const shown = Array.from(
    { length: Math.max(1, Math.min(pieces, Math.ceil(text.length / PIECE))) },
    (_, index) => text.slice(index * PIECE, (index + 1) * PIECE),
  )
  return (
    <>
      {shown.map((piece, index) => (
        <pre key={index} class={styles.text}>
          {stretches(piece)}
        </pre>
      ))}
      {rest > 0 && (
        <button type="button" onClick={() => setPieces(pieces + 1)}>
          Show more: {bytes(rest)} left
        </button>
      )}
    </>
  )
}

function stretches(text: string) {
  return showHidden(text).map((stretch) =>
    typeof stretch === 'string' ? (
      stretch
    ) : (
      <span class={styles.mark} title={stretch.name}>
        {stretch.mark}
      </span>
    ),
  )
}
