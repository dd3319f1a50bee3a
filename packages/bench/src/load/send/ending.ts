/** How one request went. */
export type Ending =
  | {
      readonly as: 'answered'
      /** `completed`, or the code of the failure; of a ticket with the word `ticket` before it. */
      readonly code: string
      readonly status: number
      /** From the request to the end of the reply, in milliseconds; of whole answers only. */
      readonly wholeMs?: number
      /** An answer, but not one that this request may get. */
      readonly wrong?: string
      readonly ticketId?: string
    }
  | { readonly as: 'hung_up' }
  | { readonly as: 'lost'; readonly why: string }
