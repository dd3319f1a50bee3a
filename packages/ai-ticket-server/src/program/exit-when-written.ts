/** Ends the process once what was written is out: writes to pipes are asynchronous, and `process.exit` drops them. */
export function exitWhenWritten(code: number): void {
  process.exitCode = code
  const written = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write('', () => resolve())),
  )
  void Promise.allSettled(written).then(() => process.exit(code))
}
