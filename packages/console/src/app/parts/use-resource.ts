import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Answer, Problem } from '../api/client.ts'
import { keyChanges } from '../api/key.ts'

/** What a panel knows. The last value stays while it is read again, and when that fails. */
export interface Resource<Value> {
  readonly value?: Value
  readonly problem?: Problem
  readonly isLoading: boolean
  /** When `value` came. */
  readonly asOf?: Date
  readonly reload: () => void
}

type Known<Value> = Omit<Resource<Value>, 'reload'>

/**
 * Asks when `name` changes, when the key changes, and on `reload`. A new name forgets the value: it is of something else.
 * An answer that comes after the next question is dropped. `first` is what is shown of a new name until its answer comes.
 */
export function useResource<Value>(
  name: string,
  load: (signal: AbortSignal) => Promise<Answer<Value>>,
  first?: Value,
): Resource<Value> & { readonly replace: (value: Value) => void } {
  const fresh = { name, isLoading: true, ...(first !== undefined && { value: first }) }
  const [known, setKnown] = useState<Known<Value> & { readonly name: string }>(fresh)
  const [turn, setTurn] = useState(0)
  const latest = useRef(load)
  latest.current = load
  const changes = keyChanges.value
  useEffect(() => {
    const leaving = new AbortController()
    setKnown((before) => (before.name === name ? { ...before, isLoading: true } : fresh))
    latest
      .current(leaving.signal)
      .then((answer) => {
        if (leaving.signal.aborted) return
        setKnown((before) =>
          answer.ok
            ? { name, value: answer.value, asOf: new Date(), isLoading: false }
            : { ...withoutProblem(before), name, problem: answer.problem, isLoading: false },
        )
      })
      .catch((error: unknown) => {
        if (!leaving.signal.aborted) throw error
      })
    return () => leaving.abort()
  }, [name, turn, changes])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  const replace = useCallback(
    (value: Value) => setKnown({ name, value, asOf: new Date(), isLoading: false }),
    [name],
  )
  return { ...(known.name === name ? known : fresh), reload, replace }
}

function withoutProblem<Value>({ problem: _past, ...rest }: Known<Value>): Omit<Known<Value>, 'problem'> {
  return rest
}
