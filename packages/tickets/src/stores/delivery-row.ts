import type { Delivery, DeliveryAttempt, DeliveryStatus } from '../ticket/delivery.ts'

/** `read`: how the database keeps a text that may hold any character. */
export const deliveryOf = (
  row: Readonly<Record<string, unknown>>,
  read: (stored: unknown) => string,
): Delivery => ({
  ticketId: String(row.ticket_id),
  url: read(row.url),
  status: row.status as DeliveryStatus,
  dueAt: Number(row.due_at),
  token: Number(row.token),
  tries: Number(row.tries),
  attempts: JSON.parse(String(row.attempts)) as DeliveryAttempt[],
})
