import { type Turn, turnText } from '../contract/prompt.ts'

/** The rest of a conversation after the cut. A value. */
export interface Cut {
  readonly turns: readonly Turn[]
  /** Places of the turns that were left out, in the conversation as it came. */
  readonly dropped: readonly number[]
  /** The beginning of a turn was cut off. */
  readonly isCut?: true
}

interface Whole {
  /** As it came. */
  readonly turns: readonly Turn[]
  /** Characters at the beginning of the last user turn that stay, where that is enough. */
  readonly keepsFirst?: number
}

/** Without so many characters more: of whole turns first, then of the last user turn. Its first characters go last. */
export function cutLeft(
  { turns, dropped, isCut }: Cut,
  { turns: all, keepsFirst = 0 }: Whole,
  length: number,
): Cut {
  let excess = length
  const lastUser = lastAsking(all)
  const out = new Set(dropped)
  for (const [index, turn] of all.entries()) {
    if (excess <= 0 || index >= lastUser) break
    if (turn.role === 'system' || out.has(index)) continue
    out.add(index)
    excess -= lengthOf([turn])
  }
  const kept = turns.filter((turn) => !out.has(all.indexOf(turn)))
  const places = [...out].sort((one, other) => one - other)
  if (excess <= 0) return { turns: kept, dropped: places, ...(isCut && { isCut }) }
  const last = lastAsking(kept)
  return {
    turns: kept.map((turn, index) => (index === last ? withoutStart(turn, excess, keepsFirst) : turn)),
    dropped: places,
    isCut: true,
  }
}

/** Cut behind what is kept, and where that is not enough, at the very beginning. Images stay. */
function withoutStart(turn: Turn, length: number, keepsFirst: number): Turn {
  if (turn.content === null) return turn
  if (typeof turn.content === 'string') return { ...turn, content: cutText(turn.content, length, keepsFirst) }
  let excess = length
  const parts = turn.content.map((part) => {
    if (part.type !== 'text' || excess <= 0) return part
    const text = cutText(part.text, excess, keepsFirst)
    excess -= part.text.length - text.length
    return { ...part, text }
  })
  return { ...turn, content: parts }
}

function cutText(text: string, length: number, keepsFirst: number): string {
  const kept = text.length - keepsFirst > length ? keepsFirst : 0
  const end = Math.min(text.length, kept + length)
  // Half of a pair is no character.
  const from = isSecondHalf(text, end) ? end + 1 : end
  return text.slice(0, isSecondHalf(text, kept) ? kept - 1 : kept) + text.slice(from)
}

const isSecondHalf = (text: string, index: number): boolean =>
  index > 0 && index < text.length && /[\uDC00-\uDFFF]/.test(text.charAt(index))

/** Of all texts, in characters. */
export function lengthOf(turns: readonly Turn[]): number {
  let length = 0
  for (const turn of turns) length += turnText(turn).length
  return length
}

/** The last turn of the user; where there is none, the last of all is what the answer follows. */
export function lastAsking(turns: readonly Turn[]): number {
  const index = turns.findLastIndex(({ role }) => role === 'user')
  return index === -1 ? turns.length - 1 : index
}
