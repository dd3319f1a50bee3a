/** Answered to anybody, also while the server drains: probes have no key. `/health` keeps its detail to itself. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz'])

/** The address without its query, for sets and logs. */
export function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

export const isOpenPath = (url: string): boolean => OPEN_PATHS.has(pathOf(url))
