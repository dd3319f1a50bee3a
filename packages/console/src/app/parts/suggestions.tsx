import type { ComponentChildren } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import styles from './parts.module.css'

/** Something that a field offers while somebody types. */
export interface Suggestion {
  readonly id: string
  readonly words: ComponentChildren
  /** At the end of the line, like its keys. */
  readonly hint?: ComponentChildren
  readonly take: () => void
}

interface Options {
  readonly name: string
  readonly suggestions: readonly Suggestion[]
  /** Whether Enter takes the first one unless another was chosen. Default: only what was chosen. */
  readonly isFirstReady?: boolean
}

/**
 * What makes a field a combobox: `field` goes into the input, `list` stands below it. Arrows choose, Enter takes; with
 * nothing chosen, Enter is the form's.
 */
export function useSuggestions({ name, suggestions, isFirstReady = false }: Options) {
  const id = useId()
  const start = isFirstReady ? 0 : -1
  const [chosen, choose] = useState(start)
  const offered = suggestions.map((one) => one.id).join('\n')
  useEffect(() => choose(start), [offered])
  const count = suggestions.length
  const current = chosen < count ? chosen : start
  const isOpen = count > 0
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || !isOpen) return
    if (event.key === 'ArrowDown') choose(current + 1 < count ? current + 1 : 0)
    else if (event.key === 'ArrowUp') choose(current > 0 ? current - 1 : count - 1)
    else if (event.key === 'Enter' && suggestions[current] !== undefined) suggestions[current].take()
    else return
    event.preventDefault()
  }
  useEffect(() => {
    document.getElementById(`${id}-${current}`)?.scrollIntoView({ block: 'nearest' })
  }, [current])
  const field = {
    role: 'combobox',
    autocomplete: 'off',
    spellcheck: false,
    'aria-autocomplete': 'list',
    'aria-expanded': isOpen,
    'aria-controls': id,
    ...(isOpen && current >= 0 && { 'aria-activedescendant': `${id}-${current}` }),
    onKeyDown,
  } as const
  const list = (
    <div class={styles.suggestions} id={id} role="listbox" aria-label={name} hidden={!isOpen}>
      {suggestions.map((one, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field, which keeps the focus
        <div
          key={one.id}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === current}
          onMouseDown={(event) => event.preventDefault()}
          onClick={one.take}
        >
          <span>{one.words}</span>
          {one.hint}
        </div>
      ))}
    </div>
  )
  return { field, list }
}
