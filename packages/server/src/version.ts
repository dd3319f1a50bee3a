import { readFileSync } from 'node:fs'

/** Of this package. One folder above `src` as well as `dist`. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version
