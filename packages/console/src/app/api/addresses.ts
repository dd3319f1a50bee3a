// Not written as `new URL('..', import.meta.url)`: the bundler would take that for a file to copy.
const script = import.meta.url

/** Where the console lives, as a path that ends in `/`: known only at run time, for a proxy may put any path in front. */
export const base: string = new URL('..', script).pathname

/** Where the API lives: one level above. */
export const apiRoot: string = new URL('../..', script).pathname

/** The address of one ticket in the console. */
export const ticketPath = (id: string): string => `${base}tickets/${encodeURIComponent(id)}`

/** The address where two tickets are compared; the second is the newer one. */
export const comparePath = (one: string, other: string): string =>
  `${base}compare/${encodeURIComponent(one)}/${encodeURIComponent(other)}`
