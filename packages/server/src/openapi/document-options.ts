export interface DocumentOptions {
  readonly version: string
  /** Whether callers have to show one. */
  readonly withKeys: boolean
  /** Whether there is a limit to how many requests they may send. */
  readonly withLimits: boolean
}
