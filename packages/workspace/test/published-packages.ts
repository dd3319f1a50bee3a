import { execFile } from 'node:child_process'
import { globSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const ROOT = resolve(import.meta.dirname, '../../..')

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly bin?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies?: Ranges
  readonly optionalDependencies?: Ranges
  readonly peerDependencies?: Ranges
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

type Ranges = Readonly<Record<string, string>>

export interface PublishedPackage {
  readonly name: string
  readonly folder: string
  readonly manifest: Manifest
}

const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest

/** The packages of the workspace that are not private. */
export const PUBLISHED: readonly PublishedPackage[] = globSync('packages/*/package.json', { cwd: ROOT })
  .map((path) => resolve(ROOT, path, '..'))
  .map((folder) => ({ folder, manifest: readManifest(folder), name: readManifest(folder).name }))
  .filter(({ manifest }) => !manifest.private)

export interface PackedPackage extends PublishedPackage {
  readonly tarball: string
  readonly files: readonly string[]
}

/** What `pnpm publish` would upload, in a folder of its own below `destination`: two names make the same file name. */
export async function packPackage(pkg: PublishedPackage, destination: string): Promise<PackedPackage> {
  const ownFolder = join(destination, pkg.name.replace('/', '+'))
  mkdirSync(ownFolder)
  const { stdout } = await run('pnpm', ['pack', '--json', '--pack-destination', ownFolder], {
    cwd: pkg.folder,
  })
  const packed = JSON.parse(stdout) as { filename: string; files: { path: string }[] }
  return { ...pkg, tarball: packed.filename, files: packed.files.map(({ path }) => path) }
}

/** One file of a tarball, as text. */
export async function readPacked(tarball: string, path: string): Promise<string> {
  return (await run('tar', ['-xzOf', tarball, `package/${path}`])).stdout
}

/** `name`, `name/sub`…: what can be imported as code. */
export const importsOf = ({ name, manifest }: PublishedPackage): string[] =>
  Object.keys(manifest.exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => path.replace('.', name))
