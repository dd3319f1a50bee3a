import type { BackendHealth, Logger } from '@ai-ticket/core'
import { addressOf } from '../config/backend-config.ts'
import type { Config } from '../config/config.ts'

/** Says of each backend whether it answers. */
export function announceBackends(config: Config, backends: readonly BackendHealth[], logger: Logger): void {
  for (const health of backends) {
    const known = config.backends.find(({ name }) => name === health.name)
    const url = known ? addressOf(known) : ''
    const fields = { backend: health.name, url }
    if (answers(health)) logger.info(`${health.name} at ${url} answers${summary(health)}`, fields)
    else logger.warn(`${health.name} at ${url} does not answer: ${health.details ?? health.state}`, fields)
  }
  if (!backends.some(answers)) {
    logger.warn(
      'No backend answers. Events fail until one does; start it, or name another with --kobold-url.',
    )
  }
}

export const answers = ({ state }: { readonly state: string }): boolean =>
  state === 'ready' || state === 'busy' || state === 'stuck'

export function summary({
  models,
  context_length: contextLength,
  version,
}: Pick<BackendHealth, 'models' | 'context_length' | 'version'>): string {
  const parts = [
    models.length > 0 ? models.join(', ') : 'no model loaded',
    ...(contextLength === undefined ? [] : [`context ${contextLength}`]),
    ...(version === undefined ? [] : [`version ${version}`]),
  ]
  return ` (${parts.join(', ')})`
}
