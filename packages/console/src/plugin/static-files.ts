import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/** A file of the build, as it is sent. */
export interface StaticFile {
  readonly type: string
  readonly plain: Buffer
  /** Made at build time; undefined: too small to gain anything. */
  readonly br?: Buffer
  readonly gzip?: Buffer
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * Reads the hashed files of the build into memory: a few dozen, 200 KB in all, so a request touches no disk and no path
 * of a request ever reaches the file system. Throws where the folder is missing.
 */
export function readStaticFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>()
  for (const name of readdirSync(folder)) {
    const type = TYPES[extname(name)]
    if (type === undefined) continue
    const path = join(folder, name)
    files.set(name, {
      type,
      plain: readFileSync(path),
      ...(existsSync(`${path}.br`) && { br: readFileSync(`${path}.br`) }),
      ...(existsSync(`${path}.gz`) && { gzip: readFileSync(`${path}.gz`) }),
    })
  }
  return files
}

/** What of a file fits the `Accept-Encoding` of a request. */
export function encodedFor(
  { plain, br, gzip }: StaticFile,
  acceptEncoding: string | undefined,
): { readonly body: Buffer; readonly encoding?: 'br' | 'gzip' } {
  const accepted = readEncodings(acceptEncoding)
  if (br !== undefined && accepted('br')) return { body: br, encoding: 'br' }
  if (gzip !== undefined && accepted('gzip')) return { body: gzip, encoding: 'gzip' }
  return { body: plain }
}

function readEncodings(header = ''): (name: string) => boolean {
  const weights = new Map(
    header.split(',').map((part) => {
      const [name = '', ...parameters] = part.split(';').map((one) => one.trim().toLowerCase())
      const weight = parameters.find((one) => one.startsWith('q='))?.slice(2)
      return [name, weight === undefined ? 1 : Number(weight)] as const
    }),
  )
  return (name) => (weights.get(name) ?? weights.get('*') ?? 0) > 0
}
