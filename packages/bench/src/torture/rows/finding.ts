import type { DoorName } from '../gateways/doors.ts'
import type { BackendKind, Gateway } from '../gateways/gateway.ts'
import type { Range } from '../gateways/range.ts'

export interface Finding {
  readonly verdict: 'pass' | 'fail' | 'n/a'
  /** One line of what was seen. */
  readonly seen: string
}

/** Something that hurts with local models, done to a gateway. */
export interface Row {
  readonly name: string
  /** Which server stands behind the gateway; `none`: it does not matter. */
  readonly backend: BackendKind | 'none'
  /** The APIs by which it can be tried. Default: all. */
  readonly doors?: readonly DoorName[]
  run(subject: Subject): Promise<Finding>
}

export interface Subject {
  readonly gateway: Gateway
  readonly range: Range
  /** The real silence of more than five minutes instead of a short one. */
  readonly isSlow: boolean
  /** Fires when the row is given up. */
  readonly signal: AbortSignal
}

export const pass = (seen: string): Finding => ({ verdict: 'pass', seen })
export const fail = (seen: string): Finding => ({ verdict: 'fail', seen })
export const notApplicable = (seen: string): Finding => ({ verdict: 'n/a', seen })
export const passIf = (holds: boolean, seen: string): Finding => (holds ? pass(seen) : fail(seen))
