/** A backend of the configuration that cannot be opened. Its message says why and what to do. */
export class BackendProblem extends Error {
  override readonly name = 'BackendProblem'
}

/** Tells whoever started the program; anything else is a bug and goes on. */
export function sayProblem(error: unknown): undefined {
  if (!(error instanceof BackendProblem)) throw error
  process.stderr.write(`${error.message}\n`)
}
