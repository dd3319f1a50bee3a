/** The commands of a shell block, each as its words. Knows quotes, comments and lines that go on; nothing else. */
export function commandsOf(code: string): string[][] {
  return code
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap(splitPipes)
    .map(wordsOf)
    .filter((words) => words.length > 0)
}

const splitPipes = (line: string): string[] => line.split(/ (?:\||&&) (?=(?:[^']*'[^']*')*[^']*$)/)

function wordsOf(line: string): string[] {
  const words: string[] = []
  for (const [, single, double, bare] of line.matchAll(
    /'([^']*)'|"([^"]*)"|((?:[^\s'"]|(?<=\S)"[^"]*"|(?<=\S)'[^']*')+)/g,
  )) {
    if (bare?.startsWith('#')) break
    words.push(single ?? double ?? bare ?? '')
  }
  return words
}
