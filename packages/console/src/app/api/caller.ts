import type { CallerBody, ConfigBody, KeyListBody } from '@ai-ticket/control'
import { type Answer, ask } from './client.ts'

export type { CallerBody, ConfigBody, KeyBody } from '@ai-ticket/control'

/** Who this tab is to the server, and what server that is. */
export const getCaller = (signal: AbortSignal): Promise<Answer<CallerBody>> => ask('me', { signal })

/** Every API key, without the key itself. */
export const getKeys = (signal: AbortSignal): Promise<Answer<KeyListBody>> => ask('keys', { signal })

/** Every setting of the server. */
export const getConfig = (signal: AbortSignal): Promise<Answer<ConfigBody>> => ask('config', { signal })
