// A program: prints how long importing `@ai-ticket/core` takes, in milliseconds. Plain JavaScript, for reading
// types would be measured, too.
const startedAt = performance.now()
await import('@ai-ticket/core')
process.stdout.write(String(performance.now() - startedAt))
