const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  '': 1000,
}

/** `90`, `90s`, `1.5m`, `2h`, `7d` or `500ms` in milliseconds; a bare number is seconds. Undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/.exec(text.trim())
  const unit = UNITS[match?.[2] ?? '']
  if (match === null || unit === undefined) return undefined
  return Math.round(Number(match[1]) * unit)
}
