import type { Endpoint } from '../contract/backend.ts'
import { untilAborted } from '../contract/clock.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Prompt } from '../contract/prompt.ts'
import { endedBecause, type Run } from '../event/run.ts'
import type { BackendSlots } from './backend-slots.ts'
import { route } from './route.ts'

/** The backends that may answer an event. */
export interface Choice {
  readonly allowed: readonly BackendSlots[]
  /** Those of them to use now, best first. */
  readonly best: readonly BackendSlots[]
}

interface ChooserContext extends Pick<ResolvedOptions, 'clock' | 'tuning'> {
  readonly allBackendSlots: readonly BackendSlots[]
}

/**
 * By the names in an event, and by what its prompt holds; notes on the run what it may use. A promise only where there is a
 * choice: most desks have one backend, and there any name is taken.
 */
export function createChooser({ allBackendSlots, clock, tuning }: ChooserContext) {
  const named = (names: readonly string[]) =>
    names.flatMap((name) => allBackendSlots.find((backendSlots) => backendSlots.name === name) ?? [])
  const everybody: Choice = { allowed: allBackendSlots, best: allBackendSlots }

  async function chooseByName(run: Run): Promise<Result<Choice>> {
    const look = () => route({ backends: allBackendSlots, event: run, now: clock.now() })
    let routed = look()
    if (routed.ok && routed.value.kind === 'needs_probe') {
      const looks = named(routed.value.backends).map((backendSlots) =>
        backendSlots.look(tuning.probeTimeoutMs),
      )
      await untilAborted(Promise.all(looks), run.control.signal)
      if (run.control.signal.aborted) return failure(endedBecause(run))
      routed = look()
    }
    if (!routed.ok) return routed
    if (routed.value.kind === 'needs_probe') throw new Error('a probed backend counts as not probed')
    const { allowed, candidates } = routed.value
    return narrow(run, { allowed: named(allowed), best: named(candidates.map(({ name }) => name)) })
  }

  return (run: Run): Result<Choice> | Promise<Result<Choice>> =>
    allBackendSlots.length === 1 && run.backend === undefined ? narrow(run, everybody) : chooseByName(run)
}

/** Without those that cannot carry what the prompt holds. */
function narrow(run: Run, { allowed, best }: Choice): Result<Choice> {
  const isAble = ({ backend }: BackendSlots) =>
    backend.endpoints.some((endpoint) => canCarry(endpoint, run.prompt))
  const able = allowed.filter(isAble)
  run.allowed = able.map(({ name }) => name)
  if (able.length === 0) return failure(CANNOT_CARRY)
  return success({ allowed: able, best: best === allowed ? able : best.filter(isAble) })
}

const CANNOT_CARRY: Failure = {
  code: 'api_client_error',
  details:
    'No configured backend has an endpoint that carries the images, tools or answer format of this event.',
}

/** Whether an endpoint can transport all that the prompt holds. One that cannot is skipped: nothing is dropped. */
export function canCarry(endpoint: Endpoint, prompt: Prompt): boolean {
  if (!endpoint.images && prompt.turns.some((turn) => Array.isArray(turn.content))) return false
  if (!endpoint.schema && FORMATS.has(prompt.parameters.response_format?.type)) return false
  return endpoint.tools || !needsTools(prompt)
}

/** A schema that the desk looks after is no parameter any more: what is left here nobody else would see to. */
const FORMATS: ReadonlySet<unknown> = new Set(['json_object', 'json_schema'])

function needsTools({ parameters, turns }: Prompt): boolean {
  const asks =
    parameters.tools !== undefined && parameters.tools.length > 0 && parameters.tool_choice !== 'none'
  return asks || turns.some((turn) => turn.role === 'tool' || turn.tool_calls !== undefined)
}
