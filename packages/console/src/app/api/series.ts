import type { SeriesBody } from '@ai-ticket/control'
import { type Answer, ask } from './client.ts'

export type { SeriesBody } from '@ai-ticket/control'

/** What the server counted, in 360 steps of so many seconds; without: the last hour. */
export const getSeries = (stepS: number | undefined, signal: AbortSignal): Promise<Answer<SeriesBody>> =>
  ask(stepS === undefined ? 'series' : `series?step=${stepS}`, { signal })
