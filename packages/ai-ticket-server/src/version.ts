import { readFileSync } from 'node:fs'

// One folder above `src` as well as `dist`.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Of this package. */
export const VERSION: string = manifest.version

/** Where its pages are. */
export const HOMEPAGE: string = manifest.homepage
