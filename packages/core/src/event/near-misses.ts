import leven from 'leven'
import type { NamesOfObject } from '../contract/dispatcher.ts'
import { isPlainObject } from '../contract/json-value.ts'
import type { LogFields, Logger } from '../contract/logger.ts'
import type { EventWarning } from '../contract/outcome.ts'
import {
  CONTENT_FIELDS,
  EVENT_FIELDS,
  LONGEST_UNKNOWN_NAME,
  MOST_UNKNOWN_NAMES,
  PARAMETER_NAMES,
} from './event.ts'
import { jsonIn } from './extract-prompt.ts'

// Loaded at the first event with an unknown field: most have none.

const MOST_WARNINGS = 10
/** Names that one logger gets: a caller who makes them up cannot fill the log. */
const MOST_LOGGED = 1_000

const logged = new WeakMap<Logger, Set<string>>()

/**
 * What an event says in fields that nobody reads but that look like known ones: misspelt, written in another case, or in
 * the wrong place. Only names that the event does not also spell right are suggested. The log names each one once.
 */
export function findNearMisses(
  { value, madeOf }: Given,
  logger: Logger,
  logFields: LogFields,
): EventWarning[] | undefined {
  const misses = [...(madeOf ? missesAmong(madeOf) : []), ...(isPlainObject(value) ? missesIn(value) : [])]
  const warnings = misses.slice(0, MOST_WARNINGS).map(toWarning)
  const names = logged.get(logger) ?? new Set()
  logged.set(logger, names)
  for (const { field, details } of warnings) {
    if (names.has(field) || names.size >= MOST_LOGGED) continue
    names.add(field)
    logger.warn(details, { ...logFields, field })
  }
  return warnings.length === 0 ? undefined : warnings
}

/** An event, and the names in what it was made of. */
interface Given {
  readonly value: unknown
  readonly madeOf: NamesOfObject | undefined
}

interface Miss {
  readonly field: string
  readonly meant: string
}

const toWarning = ({ field, meant }: Miss): EventWarning => ({
  field,
  details: `\`${field}\` is ignored. Did you mean \`${meant}\`?`,
})

function* missesIn(event: Record<string, unknown>): Generator<Miss> {
  const { parameters } = event
  const content = typeof event.content === 'string' ? jsonIn(event.content) : event.content
  const own = { names: EVENT_FIELDS, path: '', given: event }
  const sampling = { names: PARAMETER_NAMES, path: 'parameters.', given: parameters }
  const asked = { names: ASKED, path: 'content.', given: content }
  yield* missesAt(own, event.content == null ? [own, sampling, asked] : [own, sampling])
  yield* missesAt(sampling, [sampling, own])
  if (!isPlainObject(content)) return
  const { prompt, messages } = content
  if (prompt != null || messages != null) {
    const beside = { names: PARAMETER_NAMES, path: 'content.', given: content }
    yield* missesAt({ ...beside, names: CONTENT_FIELDS }, [beside, own])
  } else yield* missesAt(asked, [asked], holdsPrompt)
}

const ASKED: ReadonlySet<string> = new Set(['prompt', 'messages'])

/** An object without a prompt is one as it stands, and may have a `message` of its own. */
const holdsPrompt = (value: unknown, meant: string): boolean =>
  meant === 'prompt' ? typeof value === 'string' : Array.isArray(value)

function missesAmong({ given, known }: NamesOfObject): Iterable<Miss> {
  const place = { names: known, path: '', given: Object.fromEntries(given.map((name) => [name, true])) }
  return missesAt(place, [place])
}

/** An object of an event, and names that are known in it. */
interface Place {
  readonly names: ReadonlySet<string>
  readonly path: string
  readonly given: unknown
}

function* missesAt(
  { given, names, path }: Place,
  meantAt: readonly Place[],
  takes: (value: unknown, meant: string) => boolean = () => true,
): Generator<Miss> {
  if (!isPlainObject(given)) return
  const unknown = Object.keys(given).filter((name) => !names.has(name) && name.length <= LONGEST_UNKNOWN_NAME)
  for (const name of unknown.slice(0, MOST_UNKNOWN_NAMES)) {
    const meant = nearest(name, meantAt)
    if (meant !== undefined && takes(given[name], meant.name)) {
      yield { field: `${path}${name}`, meant: `${meant.path}${meant.name}` }
    }
  }
}

interface Candidate {
  readonly name: string
  readonly path: string
  readonly isGiven: boolean
  readonly distance: number
}

/** Undefined where nothing is near, or where the event also has what is nearest. */
function nearest(name: string, places: readonly Place[]): Candidate | undefined {
  const bare = bareName(name)
  const [best] = places
    .flatMap(({ names, path, given }) =>
      [...names].map(
        (known): Candidate => ({
          name: known,
          path,
          isGiven: isGiven(given, known),
          distance: distanceOf(bare, bareName(known)),
        }),
      ),
    )
    .filter(({ distance }) => distance < Number.POSITIVE_INFINITY)
    .toSorted((one, other) => one.distance - other.distance || Number(one.isGiven) - Number(other.isGiven))
  return best?.isGiven ? undefined : best
}

const isGiven = (given: unknown, name: string): boolean => isPlainObject(given) && given[name] != null

/** `maxTokens`, `max-tokens` and `MAX_TOKENS` are `max_tokens`. */
const bareName = (name: string): string => name.toLowerCase().replaceAll(/[_\- ]/g, '')

/** How many letters differ: a transposition counts as two. Infinite where the names merely resemble each other. */
function distanceOf(name: string, known: string): number {
  const most = mostDifferent(Math.min(name.length, known.length))
  if (Math.abs(name.length - known.length) > most) return Number.POSITIVE_INFINITY
  const distance = leven(name, known)
  return distance <= most ? distance : Number.POSITIVE_INFINITY
}

/** Short words have too many neighbours: `seed` and `feed`, `stop` and `step`. */
function mostDifferent(letters: number): number {
  if (letters < 5) return 0
  return letters < 7 ? 1 : 2
}
