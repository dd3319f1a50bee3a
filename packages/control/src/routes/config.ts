import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { ConfigBody, SettingBody } from '../bodies/config.ts'
import { describedAs, OPERATE } from './described-as.ts'

/** `GET /config`: for `admin` alone, because it names addresses and folders. */
export function addConfigRoute(
  instance: FastifyInstance,
  settingsOf: () => Promise<readonly SettingBody[]>,
): void {
  instance.get('/config', { config: describedAs('getConfig', OPERATE) }, async (_request, reply) => {
    const settings = [...(await settingsOf())]
    const body: ConfigBody = { object: 'config', revision: revisionOf(settings), settings }
    reply.header('cache-control', 'no-store')
    return reply.send(body)
  })
}

/** As short as that of a commit. */
const REVISION_DIGITS = 12

function revisionOf(settings: readonly SettingBody[]): string {
  const state = settings.map(({ key, value, origin }) => [key, value, origin])
  return hash('sha256', JSON.stringify(state)).slice(0, REVISION_DIGITS)
}
