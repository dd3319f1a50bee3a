import type { Endpoint } from '../contract/backend.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Prompt, Turn } from '../contract/prompt.ts'
import type { Cancellation } from '../event/run.ts'
import type { BackendSlots } from './backend-slots.ts'
import { route } from './route.ts'

/** What decides which backends may answer an event. */
export interface RoutedEvent {
  readonly prompt: Prompt
  readonly model: string | undefined
  readonly backend: string | undefined
  readonly cancellation: Cancellation
}

/** The backends that may answer an event. */
export interface Choice {
  readonly allowed: readonly BackendSlots[]
  /** Those of them to use now, best first. */
  readonly best: readonly BackendSlots[]
}

/**
 * By the names in an event, and by what its prompt holds. A promise only where there is a choice: most desks have one
 * backend, and there any name is taken.
 */
export function chooseBackends(
  event: RoutedEvent,
  backends: readonly BackendSlots[],
  options: ResolvedOptions,
): Result<Choice> | Promise<Result<Choice>> {
  if (backends.length > 1 || event.backend !== undefined) return chooseByName(event, backends, options)
  return narrow({ allowed: backends, best: backends }, event)
}

async function chooseByName(
  event: RoutedEvent,
  backends: readonly BackendSlots[],
  { clock, tuning }: ResolvedOptions,
): Promise<Result<Choice>> {
  let routed = route({ backends, event, now: clock.now() })
  if (routed.ok && routed.value.kind === 'needs_probe') {
    const probes = routed.value.backends.map((slots) => slots.probe(tuning.probeTimeoutMs))
    const probed = await event.cancellation.until(Promise.all(probes))
    if (!probed.ok) return probed
    routed = route({ backends, event, now: clock.now() })
  }
  if (!routed.ok) return routed
  if (routed.value.kind === 'needs_probe') throw new Error('a probed backend counts as not probed')
  const { allowed, candidates } = routed.value
  return narrow({ allowed, best: candidates }, event)
}

/** Without those that cannot carry what the prompt holds. */
function narrow(
  { allowed, best }: Choice,
  { prompt, cancellation }: RoutedEvent,
): Result<Choice> | Promise<Result<Choice>> {
  const isAble = ({ backend }: BackendSlots) =>
    backend.endpoints.some((endpoint) => canCarry(endpoint, prompt))
  const able = allowed.filter(isAble)
  if (able.length === 0) return failure(cannotCarry(allowed, prompt))
  const choice = { allowed: able, best: best === allowed ? able : best.filter(isAble) }
  return prompt.turns.some(holdsImage) ? withSight(choice, cancellation) : success(choice)
}

const holdsImage = ({ content }: Turn): boolean =>
  Array.isArray(content) && content.some(({ type }) => type === 'image_url')

/** Without those that would drop the images and answer all the same, as KoboldCPP does without a projector. */
async function withSight({ allowed, best }: Choice, cancellation: Cancellation): Promise<Result<Choice>> {
  const looks = allowed.map(async (slots) => ({ slots, sees: (await slots.takesImages()) !== false }))
  const looked = await cancellation.until(Promise.all(looks))
  if (!looked.ok) return looked
  const seeing = new Set(looked.value.flatMap(({ slots, sees }) => (sees ? [slots] : [])))
  if (seeing.size === 0) return failure(blind(allowed))
  return success({
    allowed: allowed.filter((slots) => seeing.has(slots)),
    best: best.filter((slots) => seeing.has(slots)),
  })
}

function blind(backends: readonly BackendSlots[]): Failure {
  const names = backends.map(({ name }) => name).join(', ')
  return {
    code: 'invalid_input_format',
    details: `The event holds an image, and no model that may answer it takes images (${names}). Leave the image out, or load a model that sees; KoboldCPP needs its projector, --mmproj.`,
  }
}

/** Says of each backend what it does not take: one may be set right, or another asked, or the event changed. */
function cannotCarry(allowed: readonly BackendSlots[], prompt: Prompt): Failure {
  const asked = NEEDS.filter(({ isIn }) => isIn(prompt))
  const each = allowed.map(({ backend: { name, endpoints } }) => {
    const lacks = asked.filter(({ takes }) => !endpoints.some(takes)).map((need) => need.words)
    return lacks.length > 0
      ? `${name} takes no ${lacks.join(' and no ')}`
      : `${name} does not take ${asked.map((need) => need.words).join(' and ')} at one endpoint`
  })
  return {
    code: 'api_client_error',
    details: `No backend can be sent this event: ${each.join('; ')}. Leave that out, or add a backend that takes it.`,
  }
}

interface Need {
  readonly words: string
  readonly isIn: (prompt: Prompt) => boolean
  readonly takes: (endpoint: Endpoint) => boolean
}

const NEEDS: readonly Need[] = [
  {
    words: 'images',
    isIn: ({ turns }) => turns.some((turn) => Array.isArray(turn.content)),
    takes: ({ images }) => images,
  },
  { words: 'tools', isIn: needsTools, takes: ({ tools }) => tools },
  {
    words: 'answer format (`response_format`)',
    isIn: ({ parameters }) => FORMATS.has(parameters.response_format?.type),
    takes: ({ schema }) => schema !== false,
  },
]

/** Whether an endpoint can transport all that the prompt holds. One that cannot is skipped: nothing is dropped. */
export const canCarry = (endpoint: Endpoint, prompt: Prompt): boolean =>
  NEEDS.every(({ isIn, takes }) => takes(endpoint) || !isIn(prompt))

/** A schema that the desk looks after is no parameter any more: what is left here nobody else would see to. */
const FORMATS: ReadonlySet<unknown> = new Set(['json_object', 'json_schema'])

function needsTools({ parameters, turns }: Prompt): boolean {
  const asks =
    parameters.tools !== undefined && parameters.tools.length > 0 && parameters.tool_choice !== 'none'
  return asks || turns.some((turn) => turn.role === 'tool' || turn.tool_calls !== undefined)
}
