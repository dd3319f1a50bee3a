import type { LineView, RunningEvent, WaitingEvent } from '@ai-ticket/core'

/** The body of `GET /line`: who runs where, and who waits, in order. Times are ISO 8601. */
export interface LineBody extends Pick<LineView, 'now' | 'capacity' | 'more'> {
  /** Always `line`. */
  object: 'line'
  /** The server whose line it is: each has its own. */
  worker: string
  /** Events that hold a slot. */
  running: RunningBody[]
  /** Events that wait for one, in the order of the line. */
  waiting: WaitingBody[]
}

/** `ticket_id`: the ticket that it is run for. */
type OfTicket<InHand> = Flat<Omit<InHand, 'reference'> & { ticket_id?: string }>

type Flat<Type> = { [Key in keyof Type]: Type[Key] }

/** An event that holds a slot. */
export type RunningBody = OfTicket<RunningEvent>

/** An event that waits for a slot. */
export type WaitingBody = OfTicket<WaitingEvent>

/** The body of `DELETE /line/:hand`. */
export interface EndedBody {
  /** Of the event that was cancelled. */
  hand: string
  /** False: it has ended, and its backend had not stopped after 5 s. */
  stopped: boolean
}
