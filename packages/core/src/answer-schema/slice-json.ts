/**
 * The outermost bracketed parts of a text, in order: from a `{` or `[` to its partner, or to the end where it has
 * none. Brackets inside strings do not count. Goes over the text once.
 */
export function sliceJson(text: string, most: number): string[] {
  const slices: string[] = []
  let position = 0
  while (slices.length < most) {
    const start = text.slice(position).search(/[[{]/)
    if (start < 0) break
    const end = endOf(text, position + start)
    slices.push(text.slice(position + start, end))
    position = end ?? text.length
  }
  return slices
}

/** Whether a text's first bracket never meets its partner: it was cut off, or forgot it. */
export function isUnfinished(text: string): boolean {
  const start = text.search(/[[{]/)
  return start < 0 ? /^\s*"/.test(text) : endOf(text, start) === undefined
}

/** The place behind the partner of the bracket. Undefined: it has none. */
function endOf(text: string, start: number): number | undefined {
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') {
      depth -= 1
      if (depth === 0) return index + 1
    }
  }
  return undefined
}
