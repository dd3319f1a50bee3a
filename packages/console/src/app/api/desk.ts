import type { DeskReport } from '@ai-ticket/core'
import { type Answer, ask } from './client.ts'

/** Backends and the length of the line; asks no backend. */
export const getDesk = (signal: AbortSignal): Promise<Answer<DeskReport>> => ask('backends', { signal })
