/** Events of tickets, known by identity: the history must not record them a second time. */
const events = new WeakSet<object>()

export const markTicketEvent = (event: object): void => void events.add(event)

export const isTicketEvent = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && events.has(event)
