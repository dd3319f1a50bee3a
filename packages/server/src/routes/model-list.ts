import type { BackendHealth } from '@ai-ticket/core'

export interface Model {
  readonly id: string
  readonly object: 'model'
  /** Unix time in seconds. */
  readonly created: number
  /** The backend that serves it. */
  readonly owned_by: string
}

export interface ModelList {
  readonly object: 'list'
  readonly data: readonly Model[]
}

/** The models that the backends report and their aliases, each once, and `default`, which any of them may answer. */
export function modelList(
  backends: readonly Pick<BackendHealth, 'name' | 'models' | 'aliases'>[],
  created: number,
): ModelList {
  const owners = new Map<string, string>()
  for (const { name, models, aliases = [] } of backends) {
    for (const id of [...models, ...aliases]) if (!owners.has(id)) owners.set(id, name)
  }
  if (!owners.has('default')) owners.set('default', 'ai-ticket')
  const toModel = ([id, owned_by]: [string, string]): Model => ({ id, object: 'model', created, owned_by })
  return { object: 'list', data: [...owners].map(toModel) }
}

/** By its name, with or without the `koboldcpp/` that KoboldCPP puts before it. */
export const findModel = ({ data }: ModelList, id: string): Model | undefined =>
  data.find((model) => bare(model.id) === bare(id))

const bare = (id: string) => id.replace(/^koboldcpp\//, '')
