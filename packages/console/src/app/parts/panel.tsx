import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Problem } from '../api/client.ts'
import { keyWanted } from '../api/key.ts'
import { CallerText } from './caller-text.tsx'
import { duration } from './format.ts'
import styles from './parts.module.css'
import type { Resource } from './use-resource.ts'
import { clockTime } from './when.tsx'

/** A quick answer shows no sign of loading at all. */
const PATIENCE_MS = 120

interface PanelProps<Value> {
  readonly resource: Resource<Value>
  /** How many rows are likely to come, so that nothing jumps. */
  readonly rows?: number
  /** What is there is no longer live. */
  readonly isAged?: boolean
  readonly children: (value: Value) => ComponentChildren
}

/** A part of a page with its states. A failure takes this part and nothing else; data that is there stays, and says how old it is. */
export function Panel<Value>({ resource, rows = 3, isAged = false, children }: PanelProps<Value>) {
  const { value, problem, asOf } = resource
  return (
    <div class={styles.panel} aria-busy={resource.isLoading}>
      {problem && (
        <ProblemNote problem={problem} retry={resource.reload}>
          {value !== undefined && asOf && <span>What you see is as of {clockTime(asOf, new Date())}.</span>}
        </ProblemNote>
      )}
      {value !== undefined ? (
        <div class={isAged || problem ? styles.aged : undefined}>{children(value)}</div>
      ) : (
        problem === undefined && <Skeleton rows={rows} />
      )}
    </div>
  )
}

/** Rows of the final height, after a moment. */
function Skeleton({ rows }: { readonly rows: number }) {
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [])
  if (!isShown) return null
  return (
    <div role="status">
      <span class={styles.hidden}>Loading</span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} class={styles.skeleton} />
      ))}
    </div>
  )
}

/** What went wrong, in the server's words, and what can be done. */
export function ProblemNote({
  problem,
  retry,
  children,
}: {
  readonly problem: Problem
  readonly retry?: () => void
  readonly children?: ComponentChildren
}) {
  return (
    <div class={styles.problem} role="alert">
      <strong>{headingOf(problem)}</strong>
      <span>
        <CallerText text={problem.details} />
      </span>
      {children}
      <div class={styles.actions}>
        {problem.status === 401 && (
          <button type="button" onClick={() => (keyWanted.value = true)}>
            Enter a key
          </button>
        )}
        {retry && <Retry afterMs={problem.retryAfterMs ?? 0} retry={retry} />}
      </div>
    </div>
  )
}

function headingOf({ status, code }: Problem): string {
  return HEADINGS[status] ?? `The server refused: ${code}`
}

const HEADINGS: Readonly<Record<number, string>> = {
  0: 'The server cannot be reached',
  401: 'This server wants an API key',
  403: 'Your API key may not do this',
  404: 'Not found: removed, or never there',
  410: 'Its content was not kept',
  429: 'Too many requests',
  503: 'The server cannot answer now',
}

function Retry({ afterMs, retry }: { readonly afterMs: number; readonly retry: () => void }) {
  const [leftMs, setLeftMs] = useState(afterMs)
  useEffect(() => {
    if (leftMs <= 0) return
    const timer = setTimeout(() => setLeftMs(leftMs - 1_000), 1_000)
    return () => clearTimeout(timer)
  }, [leftMs])
  return (
    <button type="button" disabled={leftMs > 0} onClick={retry}>
      {leftMs > 0 ? `Try again in ${duration(Math.ceil(leftMs / 1_000) * 1_000)}` : 'Try again'}
    </button>
  )
}
