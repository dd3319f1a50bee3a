import type { BackendHealth, Health } from '@ai-ticket/core'

/** What clients of KoboldCPP learn of all backends together, as if they were one server. */
export interface Fleet {
  /** The model that answers a request that names none, with `koboldcpp/`; `inactive`: none does. */
  readonly model: string
  /** Of KoboldCPP. */
  readonly version: string
  /** The smallest context of those that may answer, in tokens. */
  readonly contextLength: number
}

/** The version that this API was written after. */
const OWN_VERSION = '1.115.1'

/** Where no backend says how much it holds: what KoboldCPP itself takes unless told otherwise. */
const USUAL_CONTEXT = 8_192

/** What KoboldCPP says where no model is loaded. */
const NO_MODEL = 'inactive'

export function fleetOf({ backends }: Pick<Health, 'backends'>): Fleet {
  const up = backends.filter(({ state }) => state !== 'down')
  const [model] = up.flatMap(({ models }) => models)
  return {
    model: model === undefined ? NO_MODEL : `koboldcpp/${model.replace(/^koboldcpp\//, '')}`,
    version: lowestVersion(up),
    contextLength: smallestContext(up.length > 0 ? up : backends),
  }
}

function smallestContext(backends: readonly BackendHealth[]): number {
  const known = backends.flatMap(({ context_length }) => context_length ?? [])
  return known.length === 0 ? USUAL_CONTEXT : Math.min(...known)
}

/** Clients switch on what a version brought, so all backends have to have it. Only KoboldCPP's versions have this form. */
function lowestVersion(backends: readonly BackendHealth[]): string {
  const versions = backends.flatMap(({ version }) =>
    version !== undefined && /^1\.\d+(?:\.\d+)*$/.test(version) ? version : [],
  )
  return versions.toSorted(compareVersions)[0] ?? OWN_VERSION
}

function compareVersions(one: string, other: string): number {
  const [these, those] = [one, other].map((version) => version.split('.').map(Number))
  for (let place = 0; place < 4; place++) {
    const difference = (these?.[place] ?? 0) - (those?.[place] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
