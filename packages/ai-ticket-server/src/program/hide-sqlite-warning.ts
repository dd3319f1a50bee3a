/** Node 22 says at every start that `node:sqlite` is experimental; it says so of nothing else that we use. */
export function hideSqliteWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void
  process.emitWarning = (...args: unknown[]) => {
    if (!/^SQLite is an experimental feature/.test(String(args[0]))) emitWarning(...args)
  }
}
