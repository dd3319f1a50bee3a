/** A stretch of text, or one character that a page would not show or would let rearrange the rest. */
export type Stretch = string | { readonly mark: string; readonly name: string }

/** By code point, from and to. */
const HIDDEN_RANGES: readonly (readonly [number, number])[] = [
  // Control characters but tab and line feed.
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  // What has no width, or turns the direction of the rest.
  ...[0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e].map((code) => [code, code] as const),
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  ...[0x3164, 0xfeff, 0xffa0].map((code) => [code, code] as const),
  [0xfff9, 0xfffb],
  // Tags, which spell a second text that nobody sees.
  [0xe0000, 0xe007f],
]

const escaped = (code: number): string => `\\u{${code.toString(16)}}`
const HIDDEN = new RegExp(
  `[${HIDDEN_RANGES.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('')}]`,
  'gu',
)

const ZERO_WIDTH_JOINER = '\u200d'
/** The end of what may stand before a joiner: an emoji, its colour, or how it is drawn. */
const JOINABLE = /(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)$/u

const NAMES: Readonly<Record<number, string>> = {
  0: 'null',
  13: 'carriage return',
  27: 'escape',
  8203: 'zero-width space',
  8204: 'zero-width non-joiner',
  8205: 'zero-width joiner',
  8206: 'left-to-right mark',
  8207: 'right-to-left mark',
  8234: 'left-to-right embedding',
  8235: 'right-to-left embedding',
  8236: 'end of direction',
  8237: 'left-to-right override',
  8238: 'right-to-left override',
  8294: 'left-to-right isolate',
  8295: 'right-to-left isolate',
  65279: 'byte order mark',
}

/** Cuts a text of somebody else's at characters that would hide something from the reader. */
export function showHidden(text: string): readonly Stretch[] {
  const stretches: Stretch[] = []
  let from = 0
  for (const { index, 0: found } of text.matchAll(HIDDEN)) {
    if (isHarmless(found, text, index)) continue
    if (index > from) stretches.push(text.slice(from, index))
    stretches.push(markOf(found))
    from = index + found.length
  }
  if (from < text.length) stretches.push(text.slice(from))
  return stretches
}

/** The line end of Windows, and what joins two emoji into one. */
function isHarmless(found: string, text: string, index: number): boolean {
  if (found === '\r') return text[index + 1] === '\n'
  return found === ZERO_WIDTH_JOINER && JOINABLE.test(text.slice(Math.max(0, index - 2), index))
}

function markOf(character: string): Stretch {
  const code = character.codePointAt(0) ?? 0
  const mark = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return { mark, name: NAMES[code] ?? 'hidden character' }
}
