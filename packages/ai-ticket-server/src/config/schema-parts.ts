import leven from 'leven'
import * as v from 'valibot'

// The message of every schema says what is expected ("a whole number from 0 to 65535"); `config-problems.ts` makes the
// sentence around it. Descriptions end up in config.schema.json, which editors show.

export const text = (expected: string) => v.pipe(v.string(expected), v.minLength(1, expected))

export const wholeNumber = (minimum: number, maximum: number, unit = '') => {
  const expected = `a whole number from ${minimum} to ${maximum}${unit}`
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(minimum, expected),
    v.maxValue(maximum, expected),
  )
}

export const numberBetween = (minimum: number, maximum: number) => {
  const expected = `a number from ${minimum} to ${maximum}`
  return v.pipe(v.number(expected), v.minValue(minimum, expected), v.maxValue(maximum, expected))
}

/** A duration; a day is more than any of them needs, and well within what a timer can hold. */
export const milliseconds = (minimum = 0, maximum = 86_400_000) =>
  wholeNumber(minimum, maximum, ' (milliseconds)')

/** An object whose unknown and missing keys are named, with the known ones. */
export function closedObject<const Entries extends v.ObjectEntries>(entries: Entries, expected: string) {
  return v.strictObject(entries, (issue) => {
    if (issue.path === undefined) return expected
    const known = Object.keys(entries)
    if (issue.expected !== 'never') return `is missing; add it to ${expected}.`
    return `is not a known key.${suggestion(String(issue.input), known)} Known here: ${known.join(', ')}.`
  })
}

export const describe = <Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  v.pipe(schema, v.description(description))

export const setting = <Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  v.exactOptional(describe(schema, description))

export const trueOrFalse = v.boolean('true or false')

/** "full, metadata or off". */
export const oneOf = <const Names extends readonly [string, ...string[]]>(...names: Names) =>
  v.picklist(names, `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`)

/** The parts of a comma separated list, without the empty ones. */
export const asList = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** ` Did you mean "port"?`, or nothing where no known name is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const closest = closestName(name, known)
  return closest === undefined ? '' : ` Did you mean "${closest}"?`
}

/**
 * The known name that a misspelt one probably meant, case aside: at most a third of its letters differ, or two (a
 * transposition counts as two).
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: leven(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((one, other) => one.distance - other.distance)
  if (best === undefined || best.distance > Math.max(2, Math.floor(best.candidate.length / 3)))
    return undefined
  return best.candidate
}
