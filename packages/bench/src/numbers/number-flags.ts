import { parseArgs } from 'node:util'

export interface NumberFlags<Name extends string, Text extends string, Switch extends string> {
  readonly help: string
  /** Flags that take a number of 0 or more, with their defaults. */
  readonly defaults: Readonly<Record<Name, number>>
  /** Flags that take a text and have no default. */
  readonly texts?: readonly Text[]
  /** Flags without a value. */
  readonly switches?: readonly Switch[]
}

export interface GivenFlags<Name extends string, Text extends string, Switch extends string> {
  readonly numbers: Readonly<Record<Name, number>>
  readonly texts: Readonly<Partial<Record<Text, string>>>
  readonly switches: Readonly<Record<Switch, boolean>>
  readonly positionals: readonly string[]
}

/** Reads the arguments of this process. Undefined: it shows its help, or what was wrong (and ends with 2). */
export function numberFlags<Name extends string, Text extends string = never, Switch extends string = never>(
  flags: NumberFlags<Name, Text, Switch>,
): GivenFlags<Name, Text, Switch> | undefined {
  const { help, defaults, texts = [], switches = [] } = flags
  const names = Object.keys(defaults) as Name[]
  const text = { type: 'string' as const }
  const toggle = { type: 'boolean' as const }
  const options = Object.fromEntries([
    ...[...names, ...texts].map((name) => [name, text]),
    ...[...switches, 'help'].map((name) => [name, toggle]),
  ])
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    const given: Readonly<Record<string, unknown>> = values
    if (given.help === true) {
      process.stdout.write(help)
      return undefined
    }
    const numbers = names.map((name) => [name, readNumber(name, given[name] ?? defaults[name])])
    const words = texts.filter((name) => given[name] !== undefined).map((name) => [name, given[name]])
    return {
      numbers: Object.fromEntries(numbers),
      texts: Object.fromEntries(words),
      switches: Object.fromEntries(switches.map((name) => [name, given[name] === true])) as Record<
        Switch,
        boolean
      >,
      positionals,
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
    return undefined
  }
}

function readNumber(name: string, given: unknown): number {
  const value = Number(given)
  if (given === '' || !(value >= 0))
    throw new RangeError(`--${name} wants a number of 0 or more, got "${given}"`)
  return value
}
