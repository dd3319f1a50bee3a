export interface Instruction {
  readonly keyword: string
  readonly rest: string
}

export interface Stage {
  readonly image: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

/** The stages of a Dockerfile. Knows comments and continued lines; no heredocs, no ARG. */
export function parseDockerfile(text: string): Stage[] {
  const stages: { image: string; name: string | undefined; instructions: Instruction[] }[] = []
  for (const { keyword, rest } of instructionsOf(text)) {
    if (keyword === 'FROM') {
      const [image = '', , name] = rest.split(/\s+/)
      stages.push({ image, name, instructions: [] })
    } else stages.at(-1)?.instructions.push({ keyword, rest })
  }
  return stages
}

function instructionsOf(text: string): Instruction[] {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [keyword = ''] = line.split(/\s/, 1)
      return { keyword, rest: line.slice(keyword.length).trim() }
    })
}

/** What the last instruction of this kind says. */
export const lastOf = (stage: Stage, keyword: string): string | undefined =>
  stage.instructions.findLast((instruction) => instruction.keyword === keyword)?.rest

/** The words of ENTRYPOINT, CMD or `HEALTHCHECK … CMD` in their exec form; the images have no shell for the other. */
export function execWords(rest: string): string[] {
  const words: unknown = JSON.parse(rest.slice(rest.indexOf('[')))
  if (!Array.isArray(words)) throw new Error(`Not in exec form: ${rest}`)
  return words.map(String)
}

/** `ENV A=1 B=2` of a stage; values without spaces and quotes. */
export const environmentOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    stage.instructions
      .filter(({ keyword }) => keyword === 'ENV')
      .flatMap(({ rest }) => rest.split(/\s+/))
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
