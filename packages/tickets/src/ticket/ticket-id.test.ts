import { expect, it } from 'vitest'
import { createTicketId } from './new-ticket.ts'

it('is a UUID of version 7 that sorts by its time', () => {
  const early = createTicketId(1_800_000_000_000)
  expect(early).toMatch(/^tkt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(early < createTicketId(1_800_000_000_001)).toBe(true)
  expect(createTicketId(1_800_000_000_000)).not.toBe(early)
})
