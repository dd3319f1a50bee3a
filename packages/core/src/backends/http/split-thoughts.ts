/** A piece of an answer. */
export interface Piece {
  readonly text: string
  readonly reasoning?: string | undefined
}

export interface ThoughtSplitter {
  /** True: nothing but text will come any more, and it needs no splitting. */
  isText(): boolean
  /** What of the text so far can be handed on. */
  push(text: string): Piece
  /** What was held back, once nothing more comes. */
  rest(): Piece
}

const OPEN = '<think>'
const CLOSE = '</think>'

/**
 * Parts a `<think>` block at the very beginning of a text from the answer behind it, however the text was cut into
 * pieces. The tags and the white space beside them belong to neither. A block that never ends is all thoughts; a tag
 * further on is text.
 */
export function createThoughtSplitter(): ThoughtSplitter {
  let state: 'start' | 'opened' | 'thinking' | 'closed' | 'text' = 'start'
  let held = ''
  const push = (given: string): Piece => {
    if (state === 'text') return { text: given }
    held += given
    if (state === 'start') {
      const start = held.replace(/^[\s\uFEFF]+/, '')
      if (start.length < OPEN.length && OPEN.startsWith(start)) return NOTHING
      state = start.startsWith(OPEN) ? 'opened' : 'text'
      if (state === 'text') return { text: take(held.length) }
      held = start.slice(OPEN.length)
    }
    if (state === 'closed') return { text: afterwards() }
    if (state === 'opened') {
      held = held.trimStart()
      if (held !== '') state = 'thinking'
    }
    const end = held.indexOf(CLOSE)
    if (end < 0) return { text: '', reasoning: take(held.length - heldBack(held)) }
    const reasoning = take(end).trimEnd()
    held = held.slice(CLOSE.length)
    return { text: afterwards(), reasoning }
  }
  const take = (length: number): string => {
    const taken = held.slice(0, length)
    held = held.slice(length)
    return taken
  }
  const afterwards = (): string => {
    held = held.trimStart()
    state = held === '' ? 'closed' : 'text'
    return take(held.length)
  }
  return {
    isText: () => state === 'text',
    push,
    rest() {
      const rest = take(held.length)
      return state === 'start' ? { text: rest } : { text: '', reasoning: rest.trimEnd() }
    },
  }
}

/** Characters at the end of thoughts that may belong to the closing tag, or to the white space before it. */
function heldBack(thoughts: string): number {
  const most = Math.min(CLOSE.length - 1, thoughts.length)
  let tag = most
  while (tag > 0 && !thoughts.endsWith(CLOSE.slice(0, tag))) tag -= 1
  return thoughts.length - thoughts.slice(0, thoughts.length - tag).trimEnd().length
}

const NOTHING: Piece = { text: '' }

/** The thoughts at the beginning of a whole text, and the text without them. */
export function splitThoughts(text: string): Piece {
  // Most answers have none: then this is all it costs.
  if (!/^[\s\uFEFF]*<think>/.test(text)) return { text }
  const splitter = createThoughtSplitter()
  const first = splitter.push(text)
  const rest = splitter.rest()
  return { text: first.text + rest.text, reasoning: (first.reasoning ?? '') + (rest.reasoning ?? '') }
}
