const beyondAscii = /[\u007f-\uffff]/g

/**
 * JSON as KoboldCPP writes it: ASCII only, `", "` and `": "` as separators. A client that compares bytes or
 * splits lines meets the same text as with the real server.
 */
export function pythonJson(value: unknown): string {
  if (typeof value === 'string') return pythonString(value)
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields: string[] = []
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined) fields.push(`${pythonString(key)}: ${pythonJson(field)}`)
  }
  return `{${fields.join(', ')}}`
}

/** A string as Python's `json.dumps` writes it: pure ASCII, everything else as `\u` escapes. */
function pythonString(text: string): string {
  return JSON.stringify(text).replace(beyondAscii, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
