/** What each contender scored in each round, by its name. */
export type Rounds<Score> = Readonly<Record<string, readonly Score[]>>

/**
 * Asks all of them in every round, each round beginning with another one: what the machine does meanwhile meets all
 * alike, and a figure is compared with its neighbours of the same round.
 */
export async function inTurns<Entry extends { readonly name: string }, Score>(
  entries: readonly Entry[],
  rounds: number,
  measure: (entry: Entry) => Promise<Score>,
): Promise<Rounds<Score>> {
  const scores: Record<string, Score[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const entry = entries[(round + turn) % entries.length]
      if (!entry) continue
      scores[entry.name] ??= []
      scores[entry.name]?.push(await measure(entry))
    }
  }
  return scores
}
