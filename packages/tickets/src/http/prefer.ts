/** What a caller prefers, RFC 7240. Preferences that nobody knows are ignored. */
export interface Preferences {
  readonly respondAsync: boolean
  readonly waitMs?: number
}

export function readPrefer(header: string | readonly string[] | undefined): Preferences {
  const parts = [header ?? []].flat().join(',').split(',')
  const tokens = parts.map((part) => (part.split(';', 1)[0] ?? '').trim().toLowerCase())
  const seconds = tokens.map((token) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(token)?.[1]).find(Boolean)
  return {
    respondAsync: tokens.includes('respond-async'),
    ...(seconds === undefined ? {} : { waitMs: Number(seconds) * 1_000 }),
  }
}
