import { RE2JS } from 're2js'
import { ANSWER_LIMITS, type Purse } from './answer-schema.ts'

/** Thrown out of a validator that has done enough. */
export class OverBudget extends Error {}

/** Steps of each rule of a schema that is held against a value. */
const STEPS_OF_A_RULE = 10
/** Characters of a text that cost one step: those who count its length go over all of them. */
const CHARACTERS_OF_A_STEP = 4

/** Steps of each key, where a rule goes through them. */
const STEPS_OF_A_KEY = 20

/** What holding one schema against one value costs, its parts left out: they count by themselves. */
export interface Cost {
  /** Rules, and the names and values that they list. */
  readonly rules: number
  /** Some rule goes through all keys of an object. */
  readonly readsKeys: boolean
}

/** Counts what checking one answer costs. Belongs to one validator, which is never entered twice at a time. */
export interface CheckBudget {
  /** From here on steps are paid from this purse. */
  open(purse: Purse): void
  /** Throws `OverBudget`. */
  count(steps: number): void
  countSchema(cost: Cost, value: unknown): true
}

export function createCheckBudget(): CheckBudget {
  let purse: Purse = { steps: 0 }
  const count = (steps: number) => {
    purse.steps += steps
    if (purse.steps > ANSWER_LIMITS.steps) throw new OverBudget()
  }
  return {
    open(next) {
      purse = next
    },
    count,
    countSchema({ rules, readsKeys }, value) {
      count(rules * STEPS_OF_A_RULE + sizeOf(value, readsKeys))
      return true
    },
  }
}

function sizeOf(value: unknown, readsKeys: boolean): number {
  if (typeof value === 'string') return Math.floor(value.length / CHARACTERS_OF_A_STEP)
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return value.length
  return readsKeys ? Object.keys(value).length * STEPS_OF_A_KEY : 0
}

/**
 * A value as text: the same for the same JSON, whatever the order of its keys. Each value within counts as a rule, which
 * is what it takes to write it.
 */
export function canonical(value: unknown, budget?: CheckBudget): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    budget?.count(STEPS_OF_A_RULE)
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

export interface Pattern {
  test(text: string): boolean
  /** Ajv takes patterns with the same text for the same pattern. */
  toString(): string
}

/** A pattern that cannot be run in time proportional to the text. */
export class PatternError extends Error {}

/**
 * A caller's pattern, run by an engine that never goes back (RE2): no text makes it hang. Look-around and back
 * references, which cannot be run so, are refused, and so are repetitions of more than 1,000.
 */
export function createPattern(source: string, budget: CheckBudget): Pattern {
  const compiled = compile(source)
  const size = compiled.programSize()
  return {
    test(text) {
      budget.count((text.length + 1) * size)
      return compiled.matcher(text).find()
    },
    toString: () => source,
  }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(longNames(source)))
  } catch {
    throw new PatternError(patternFault(source))
  }
}

/** Why a pattern cannot be run. Undefined: it can. */
export function describePatternFault(source: string): string | undefined {
  try {
    compile(source)
    return undefined
  } catch (error) {
    return error instanceof PatternError ? error.message : patternFault(source)
  }
}

function patternFault(source: string): string {
  const code = source.replace(/\\[^k1-9]/g, '')
  if (/\(\?<?[=!]/.test(code)) return 'it uses look-around'
  if (/\\[k1-9]/.test(code)) return 'it uses a back reference'
  return 'it is wrong, or repeats something more than 1000 times'
}

/** JavaScript's long names of character classes; RE2 knows the short ones. */
const longNames = (source: string) =>
  source
    .replace(/\\([pP])\{(?:Script|sc|Script_Extensions|scx)=(\w+)\}/g, '\\$1{$2}')
    .replace(/\\([pP])\{(?:(?:General_Category|gc)=)?(\w+)\}/g, (whole, p, name) =>
      name in CLASSES ? `\\${p}{${CLASSES[name]}}` : whole,
    )

const CLASSES: Readonly<Record<string, string>> = {
  Letter: 'L',
  Lowercase_Letter: 'Ll',
  Uppercase_Letter: 'Lu',
  Mark: 'M',
  Number: 'N',
  Decimal_Number: 'Nd',
  Punctuation: 'P',
  Symbol: 'S',
  Separator: 'Z',
  Space_Separator: 'Zs',
}
