import type { CallerBody } from '@ai-ticket/control'
import { type Answer, ask } from './client.ts'

export type { CallerBody } from '@ai-ticket/control'

/** Who this tab is to the server, and what server that is. */
export const getCaller = (signal: AbortSignal): Promise<Answer<CallerBody>> => ask('me', { signal })
