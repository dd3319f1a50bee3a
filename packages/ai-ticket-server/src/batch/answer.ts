import type { FailureOutcome, Outcome } from '@ai-ticket/core'

/** What came of asking once. */
export type Answer =
  | { readonly type: 'final'; readonly outcome: Outcome }
  /** It may be different later. `isAway`: nobody was there to be asked, so it says nothing about the line. */
  | { readonly type: 'again'; readonly outcome: FailureOutcome; readonly isAway: boolean }
  /** No line will be answered until somebody changes something. */
  | { readonly type: 'hopeless'; readonly details: string; readonly exitCode: number }

/** Who is asked. Resolves always; `key` is the same whenever the same line is asked. */
export type Ask = (event: unknown, key: () => string) => Promise<Answer>
