import type { EndedBody, SeriesBody } from '@ai-ticket/control'
import type { BackendReport, DeskReport } from '@ai-ticket/core'
import { type Answer, ask } from './client.ts'

export type { DeskBody, LineBody, RunningBody, SeriesBody, WaitingBody } from '@ai-ticket/control'
export type { DeskReport } from '@ai-ticket/core'

/** Backends and the length of the line, once; asks no backend. */
export const getDesk = (signal: AbortSignal): Promise<Answer<DeskReport>> => ask('backends', { signal })

/** Ends any event that runs or waits. 200: its backend has stopped. 202: it has not within 5 s. */
export const endInHand = (hand: string): Promise<Answer<EndedBody>> =>
  ask(`line/${encodeURIComponent(hand)}`, { method: 'DELETE' })

/** `pause`: nothing new goes there. `probe`: asks it now how it is. */
export const steerBackend = (
  name: string,
  action: 'pause' | 'resume' | 'probe',
): Promise<Answer<BackendReport>> => ask(`backends/${encodeURIComponent(name)}/${action}`, { method: 'POST' })

/** What the server counted, in 360 steps of so many seconds; without: the last hour. */
export const getSeries = (stepS: number | undefined, signal: AbortSignal): Promise<Answer<SeriesBody>> =>
  ask(stepS === undefined ? 'series' : `series?step=${stepS}`, { signal })
