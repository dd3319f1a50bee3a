interface Rule {
  readonly pattern: RegExp
  readonly keeps: boolean
  /** The folders in which a rule that keeps something can still match. */
  readonly within: string
}

export interface DockerIgnore {
  /** Whether the file goes into the build context. */
  readonly keeps: (path: string) => boolean
  /** Whether a folder has to be looked into although it is ignored itself. */
  readonly mayHold: (folder: string) => boolean
}

/**
 * Reads a `.dockerignore`: the last line that matches a path, or a folder above it, decides. Knows `*`, `**`, `?`
 * and `!`; paths use `/` and are relative to the context.
 */
export function readDockerIgnore(text: string): DockerIgnore {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(readRule)
  const keeps = (path: string) => {
    const prefixes = prefixesOf(path)
    return rules.findLast(({ pattern }) => prefixes.some((prefix) => pattern.test(prefix)))?.keeps ?? true
  }
  const mayHold = (folder: string) =>
    keeps(folder) || rules.some((rule) => rule.keeps && rule.within.startsWith(`${folder}/`))
  return { keeps, mayHold }
}

function readRule(line: string): Rule {
  const keeps = line.startsWith('!')
  const path = keeps ? line.slice(1) : line
  return { pattern: toPattern(path), keeps, within: path }
}

const GLOBS: Readonly<Record<string, string>> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' }

function toPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|[*?]|[.+^${}()|[\]\\]/g, (part) => GLOBS[part] ?? `\\${part}`)
  return new RegExp(`^${source}$`)
}

const prefixesOf = (path: string) =>
  path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
