import type { ChangedConfigBody, ConfigBody, ConfigChangeListBody } from '@ai-ticket/control'
import { type Answer, ask } from './client.ts'

export type { ConfigBody, ConfigChangeBody, SettingBody } from '@ai-ticket/control'

/** Every setting of the server, and where its value came from. */
export const getConfig = (signal: AbortSignal): Promise<Answer<ConfigBody>> => ask('config', { signal })

/** Who changed what, newest first. */
export const getConfigChanges = (signal: AbortSignal): Promise<Answer<ConfigChangeListBody>> =>
  ask('config/changes', { signal })

/** All or nothing, of the settings that one has seen. */
export const changeConfig = (
  revision: string,
  body: { readonly set: Readonly<Record<string, unknown>>; readonly unset: readonly string[] },
): Promise<Answer<ChangedConfigBody>> =>
  ask('config', { method: 'PATCH', body, headers: { 'if-match': `"${revision}"` } })
