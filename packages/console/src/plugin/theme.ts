import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Values of single tokens, by name: `{ accent: '#0a7' }`. */
export type ConsoleTokens = Readonly<Record<string, string>>

/** What an operator has put over the console's own look. */
export interface OperatorTheme {
  /** `theme.css`, behind the tokens; empty: nothing. */
  readonly css: string
  /** `logo.svg`. */
  readonly logo: Buffer | undefined
  /** `name.txt`: what the console calls itself. */
  readonly name: string | undefined
}

/** The colours of `tokens.css`; spaces and sizes are not for sale, rows would no longer fit. */
export const TOKEN_NAMES = [
  ...['bg', 'raised', 'sunken', 'edge', 'control', 'text', 'dim', 'accent'],
  ...['ok', 'warn', 'bad', 'idle', 'wait'],
] as const

const COLOUR = /^(#[0-9a-f]{3,8}|[a-z]+|(?:rgb|hsl|oklch)a?\([0-9a-z.,%/ ]+\))$/i

/** What is wrong with tokens from outside; undefined: nothing. */
function tokensProblem(tokens: ConsoleTokens): string | undefined {
  for (const [name, value] of Object.entries(tokens)) {
    if (!TOKEN_NAMES.some((known) => known === name)) {
      return `has no token "${name}". Known: ${TOKEN_NAMES.join(', ')}.`
    }
    if (typeof value !== 'string' || !COLOUR.test(value)) return `"${name}" must be a colour like #00aa77.`
  }
  return undefined
}

/**
 * Reads `theme.css`, `logo.svg` and `name.txt` of a folder, each optional, and writes the tokens behind them. Throws a
 * `TypeError` that names a bad token, and the error of the file system where a file is there but cannot be read.
 */
export function readTheme(folder: string | undefined, tokens: ConsoleTokens = {}): OperatorTheme {
  const problem = tokensProblem(tokens)
  if (problem !== undefined) throw new TypeError(`tokens ${problem}`)
  // A folder that is not there is a slip of the pen; a file that is not there is a choice.
  if (folder) readdirSync(folder)
  const read = (file: string) => (folder ? readIfThere(join(folder, file)) : undefined)
  const lines = Object.entries(tokens).map(([name, value]) => `  --${name}: ${value};`)
  const own = lines.length === 0 ? '' : `:root:root:root {\n${lines.join('\n')}\n}\n`
  return {
    css: `${read('theme.css')?.toString('utf8') ?? ''}${own}`,
    logo: read('logo.svg'),
    name: read('name.txt')?.toString('utf8').trim().slice(0, 40) || undefined,
  }
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
