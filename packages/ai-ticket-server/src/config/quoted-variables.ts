import type { ConfigProblem } from './config-problems.ts'

type Environment = Readonly<Record<string, string | undefined>>

const IN_QUOTES = /^\s*(["'`])(.*)\1\s*$/s

/**
 * A problem for each of these variables whose value is in quotation marks. A shell takes them away; `docker --env-file`
 * leaves them in the value, and they would end up in keys, paths and addresses. `environment`: without them, to find
 * further problems.
 */
export function takeQuotesAway(
  given: Environment,
  names: readonly string[],
): { readonly environment: Environment; readonly problems: ConfigProblem[] } {
  const environment: Record<string, string | undefined> = { ...given }
  const problems: ConfigProblem[] = []
  for (const name of new Set(names)) {
    const inner = IN_QUOTES.exec(given[name] ?? '')?.[2]
    if (inner === undefined) continue
    environment[name] = inner
    const message = `${name} has quotation marks around its value. Remove them: docker --env-file and some other programs pass them on as part of the value.`
    problems.push({ key: name, message })
  }
  return { environment, problems }
}
