/** Why a batch cannot begin or go on. The program prints it and ends with `exitCode`. */
export class BatchProblem extends Error {
  override readonly name = 'BatchProblem'
  readonly exitCode: number

  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** The code of a failed call of the operating system, or SQLite's words: both say enough and quote nothing. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  if ('errstr' in error) return String(error.errstr)
  return 'code' in error ? String(error.code) : 'unknown reason'
}
