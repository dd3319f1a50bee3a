import { hash } from 'node:crypto'
import type { Failure } from '@ai-ticket/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as v from 'valibot'
import type {
  ChangedConfigBody,
  ConfigBody,
  ConfigChangeBody,
  ConfigChangeListBody,
  SettingBody,
} from '../bodies/config.ts'
import { type ControlContext, noteAction, problem } from './control-context.ts'
import { describedAs, OPERATE } from './described-as.ts'

/** What a request wants changed. */
export interface SettingsChange {
  /** Values by the keys of the settings. */
  readonly set: Readonly<Record<string, unknown>>
  /** Keys that take again what the file or the default says. */
  readonly unset: readonly string[]
  /** Who wants it. */
  readonly by: string
}

/** What came of it. */
export type SettingsChanged =
  | { readonly ok: true; readonly changes: ChangedConfigBody['changes'] }
  | { readonly ok: false; readonly failure: Failure }

/** Changes the settings of a running server. */
export interface SettingsChanger {
  /** All or nothing; `live` is false where it takes effect after a restart. One at a time. */
  change(change: SettingsChange): Promise<SettingsChanged>
  /** The latest ones, newest first. */
  changes(): readonly ConfigChangeBody[]
}

interface ConfigRoutesOptions extends Pick<ControlContext, 'logger' | 'nameOf'> {
  readonly settings?: () => Promise<readonly SettingBody[]>
  readonly changer?: SettingsChanger
  /** The settings have changed: another revision. */
  tell(revision: string): void
}

/** `GET /config`, `PATCH /config` and `GET /config/changes`: for `admin` alone, because they name addresses and folders. */
export function addConfigRoutes(instance: FastifyInstance, options: ConfigRoutesOptions): void {
  const { settings: settingsOf, changer } = options
  if (settingsOf === undefined) return
  instance.get('/config', { config: describedAs('getConfig', OPERATE) }, async (_request, reply) => {
    const settings = [...(await settingsOf())]
    const body: ConfigBody = { object: 'config', revision: revisionOf(settings), settings }
    reply.header('cache-control', 'no-store').header('etag', `"${body.revision}"`)
    return reply.send(body)
  })
  if (changer === undefined) return
  instance.get('/config/changes', { config: describedAs('getConfigChanges', OPERATE) }, (_request, reply) => {
    const body: ConfigChangeListBody = { object: 'list', data: [...changer.changes()] }
    reply.header('cache-control', 'no-store')
    return reply.send(body)
  })
  const change = oneAtATime(async (request: FastifyRequest): Promise<ChangedConfigBody> => {
    const given = { ...readChange(request.body), by: options.nameOf(request) ?? request.ip }
    const wanted = revisionWanted(request)
    const before = revisionOf(await settingsOf())
    if (wanted !== before) throw problem('conflict', changedMeanwhile(before))
    const changed = await changer.change(given)
    if (!changed.ok) throw problem(changed.failure.code, changed.failure.details)
    for (const { key } of changed.changes) noteAction(options, request, { action: 'configure', key })
    const revision = revisionOf(await settingsOf())
    if (revision !== before) options.tell(revision)
    return { object: 'changed_config', revision, changes: changed.changes }
  })
  instance.patch('/config', { config: describedAs('patchConfig', OPERATE) }, async (request, reply) => {
    const body = await change(request)
    reply.header('cache-control', 'no-store').header('etag', `"${body.revision}"`)
    return reply.send(body)
  })
}

/** A change is held against the revision that the one before it has left. */
function oneAtATime<Given, Made>(work: (given: Given) => Promise<Made>): (given: Given) => Promise<Made> {
  let last: Promise<unknown> = Promise.resolve()
  return (given) => {
    const made = last.then(() => work(given))
    // Whoever asked hears of a failure.
    last = made.catch(() => {})
    return made
  }
}

/** As short as that of a commit. */
const REVISION_DIGITS = 12

function revisionOf(settings: readonly SettingBody[]): string {
  const state = settings.map(({ key, value, origin }) => [key, value, origin])
  return hash('sha256', JSON.stringify(state)).slice(0, REVISION_DIGITS)
}

/** With quotation marks as a header has it, or without. */
function revisionWanted({ headers }: FastifyRequest): string {
  const [, revision] = /^\s*"?([0-9a-f]+)"?\s*$/.exec(headers['if-match'] ?? '') ?? []
  if (revision !== undefined) return revision
  throw problem(
    'invalid_request',
    'Send the `revision` of `GET /config` as `If-Match`: a change is made to settings that you have seen.',
  )
}

const changedMeanwhile = (revision: string) =>
  `The settings have changed since you read them: their revision is ${revision} now. Read them, and decide again.`

const EXPECTED = 'Send `{"set": {"<key>": <value>}, "unset": ["<key>"]}` with at least one key.'

const ChangeSchema = v.strictObject({
  set: v.optional(v.record(v.string(), v.unknown()), {}),
  unset: v.optional(v.array(v.string()), []),
})

/** Throws a `RequestProblem`. */
function readChange(body: unknown): Pick<SettingsChange, 'set' | 'unset'> {
  const parsed = v.safeParse(ChangeSchema, body)
  if (!parsed.success) throw problem('invalid_input_format', EXPECTED)
  const { set, unset } = parsed.output
  const keys = [...Object.keys(set), ...unset]
  if (keys.length === 0) throw problem('invalid_input_format', EXPECTED)
  const twice = keys.find((key, place) => keys.indexOf(key) !== place)
  if (twice === undefined) return { set, unset }
  throw problem(
    'invalid_input_format',
    `The key ${JSON.stringify(twice.slice(0, 100))} stands there twice. Keep one of them.`,
  )
}
