import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import type { DockerIgnore } from './docker-ignore.ts'
import type { Stage } from './dockerfile.ts'

export interface BuildPlace {
  /** Stands for `/` of the stage. */
  readonly root: string
  /** The folder that `docker build` is given. */
  readonly context: string
  readonly ignore: DockerIgnore
  /** The roots of earlier stages, by name. */
  readonly stages: Readonly<Record<string, string>>
  readonly environment: NodeJS.ProcessEnv
}

/** Does what a stage says below a folder instead of in a container: WORKDIR, COPY and RUN, in their order. */
export function buildStage(stage: Stage, place: BuildPlace): void {
  let workdir = '/'
  for (const { keyword, rest } of stage.instructions) {
    if (keyword === 'WORKDIR') {
      workdir = resolve(workdir, rest)
      mkdirSync(join(place.root, workdir), { recursive: true })
    } else if (keyword === 'COPY') copy(rest, workdir, place)
    else if (keyword === 'RUN') run(rest, workdir, place)
  }
}

function copy(rest: string, workdir: string, place: BuildPlace): void {
  const words = rest.split(/\s+/)
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
  const paths = words.filter((word) => !word.startsWith('--'))
  const target = join(place.root, resolve(workdir, paths.at(-1) ?? ''))
  for (const source of paths.slice(0, -1)) {
    if (from === undefined) copyFromContext(source, target, place)
    else copyTree(join(rootOf(from, place), source), target)
  }
}

function rootOf(stage: string, { stages }: BuildPlace): string {
  const root = stages[stage]
  if (root === undefined) throw new Error(`COPY --from=${stage}: no earlier stage has this name.`)
  return root
}

function copyFromContext(source: string, target: string, { context, ignore }: BuildPlace): void {
  const isKept = (path: string) => {
    const inContext = relative(context, path)
    return inContext === '' || (statSync(path).isDirectory() ? ignore.mayHold : ignore.keeps)(inContext)
  }
  copyTree(join(context, source), target, isKept)
}

/** As COPY does: the content of a folder, or a file into a folder. */
function copyTree(source: string, target: string, filter: (path: string) => boolean = () => true): void {
  const isFolder = statSync(source).isDirectory()
  cpSync(source, isFolder ? target : join(target, basename(source)), {
    recursive: true,
    verbatimSymlinks: true,
    filter,
  })
}

function run(rest: string, workdir: string, { root, environment }: BuildPlace): void {
  const command = rest.replace(/--mount=\S+\s+/g, '')
  // Such a path would be one of this machine.
  if (/(^|\s)\//.test(command)) throw new Error(`RUN with an absolute path cannot be tried here: ${command}`)
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: join(root, workdir),
    env: environment,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`RUN ${command} ended with ${status}:\n${stdout}${stderr}`)
}
