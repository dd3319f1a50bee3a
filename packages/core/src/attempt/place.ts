import type { Endpoint } from '../contract/backend.ts'
import type { SameBackendStep } from './next-step.ts'

/** Where the loop stands at one backend: at which endpoint, and at which of its calls. A value. */
export interface Place {
  readonly endpoint: Endpoint
  /** Those to go on to, in order of preference. */
  readonly nextEndpoints: readonly Endpoint[]
  /** Which call of this endpoint comes now, from 1. */
  readonly call: number
  /** How many of its calls asked for a corrected answer, this one included. */
  readonly repairs: number
  /** The pause before the call, in milliseconds. */
  readonly pauseMs: number
  /** The endpoint has refused the schema of the event: it is not asked to enforce it. */
  readonly isRelaxed: boolean
}

/** The first call of an endpoint. */
const FIRST_CALL = { call: 1, repairs: 0, pauseMs: 0, isRelaxed: false } as const

/** At the first of the endpoints. There is always one: a backend without any is not chosen. */
export function firstPlace([endpoint, ...nextEndpoints]: readonly Endpoint[]): Place {
  if (!endpoint)
    throw new Error('A backend was chosen that has no endpoint for the event, or none is left there.')
  return { endpoint, nextEndpoints, ...FIRST_CALL }
}

/** Where a step leads that stays at the same backend. Pure. */
export function placeAfter(place: Place, step: SameBackendStep): Place {
  switch (step.type) {
    case 'repeat':
      return { ...place, call: place.call + 1, pauseMs: step.afterMs }
    case 'repair':
      return { ...place, call: place.call + 1, repairs: place.repairs + 1, pauseMs: 0 }
    case 'relax':
      return { ...place, call: place.call + 1, pauseMs: 0, isRelaxed: true }
    case 'next_endpoint':
      return firstPlace(place.nextEndpoints)
  }
}
