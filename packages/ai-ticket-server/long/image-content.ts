import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface ImageFile {
  readonly path: string
  readonly mode: number
  /** Where a symbolic link leads. */
  readonly target: string | undefined
}

/** Every file, folder and link below a folder. */
export function listContent(folder: string): ImageFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => {
    const full = join(folder, path)
    const stats = lstatSync(full)
    const target = stats.isSymbolicLink() ? resolve(full, '..', readlinkSync(full)) : undefined
    return { path, mode: stats.mode, target }
  })
}

/** The names of all packages whose files are there. */
export function packageNames(folder: string, files: readonly ImageFile[]): string[] {
  const manifests = files.filter(({ path }) =>
    /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path),
  )
  const names = manifests.map(({ path }) => JSON.parse(readFileSync(join(folder, path), 'utf8')).name)
  return [...new Set<string>(names)].sort()
}
