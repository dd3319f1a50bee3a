import { RE2JS } from 're2js'
import { ANSWER_LIMITS } from './answer-schema.ts'

/** Thrown out of a validator that has done enough. */
export class OverBudget extends Error {}

/** Counts what checking one answer costs. Belongs to one validator, which is never entered twice at a time. */
export interface CheckBudget {
  reset(): void
  countReference(): boolean
  countPattern(steps: number): void
}

export function createCheckBudget(): CheckBudget {
  let references = 0
  let patternSteps = 0
  return {
    reset() {
      references = 0
      patternSteps = 0
    },
    countReference() {
      references += 1
      if (references > ANSWER_LIMITS.references) throw new OverBudget()
      return true
    },
    countPattern(steps) {
      patternSteps += steps
      if (patternSteps > ANSWER_LIMITS.patternSteps) throw new OverBudget()
    },
  }
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
      budget.countPattern((text.length + 1) * size)
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
