import { ANSWER_LIMITS } from './schema-limits.ts'

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
