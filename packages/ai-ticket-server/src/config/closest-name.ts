import leven from 'leven'

/** ` Did you mean "port"?`, or nothing where no known name is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const closest = closestName(name, known)
  return closest === undefined ? '' : ` Did you mean "${closest}"?`
}

/**
 * The known name that a misspelt one probably meant, case aside: at most a third of its letters differ, or two (a
 * transposition counts as two).
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: leven(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((one, other) => one.distance - other.distance)
  if (best === undefined || best.distance > Math.max(2, Math.floor(best.candidate.length / 3)))
    return undefined
  return best.candidate
}
