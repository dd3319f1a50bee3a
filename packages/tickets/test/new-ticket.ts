import type { NewTicket } from '../src/index.ts'

export const newTicket = (given: Partial<NewTicket> = {}): NewTicket => ({
  event: { id: 'evt_1', content: 'Why?' },
  eventId: 'evt_1',
  caller: '',
  ...given,
})
