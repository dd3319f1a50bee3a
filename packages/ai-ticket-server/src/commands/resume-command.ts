/** The words of this command again, for a shell. */
export const resumeCommand = (rawArgs: readonly string[]): string =>
  ['ai-ticket batch', ...rawArgs.filter((word) => word !== '--overwrite').map(quote)].join(' ')

const quote = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
