const MARK = '\uE000'

/**
 * PostgreSQL refuses U+0000 in any text. It is written as a mark of the private use area and `0`, the mark itself as the
 * mark and `1`, so that every text comes back as it was; half a surrogate pair becomes U+FFFD, as in any UTF-8.
 */
export function storableText(text: string): string {
  const wellFormed = text.toWellFormed()
  if (!wellFormed.includes('\0') && !wellFormed.includes(MARK)) return wellFormed
  return wellFormed.replaceAll(MARK, `${MARK}1`).replaceAll('\0', `${MARK}0`)
}

export function restoredText(text: string): string {
  return text.includes(MARK) ? text.replaceAll(`${MARK}0`, '\0').replaceAll(`${MARK}1`, MARK) : text
}
