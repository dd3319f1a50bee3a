import type { HttpHistory, RecordedTicket, SentEvent, TicketRead } from './history.ts'

/** What no history may hold; empty: each answer was true, in the light of all others. */
export function judgeHistory(history: HttpHistory): readonly string[] {
  const records = new Map(history.records.map((record) => [record.id, record] as const))
  return [
    ...statusViolations(history),
    ...history.sent.flatMap((event) => promiseViolations(event, records)),
    ...refusalViolations(history),
    ...keyViolations(history),
    ...readViolations(history),
    ...outcomeViolations(history, records),
    ...callbackViolations(history, records),
  ]
}

type Records = ReadonlyMap<string, RecordedTicket>

const FINISHED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled'])

const saysNothing = ({ details = '' }: SentEvent) => /did not say/.test(details)

/** A server that works answers with what its description names. */
function statusViolations({ sent, reads }: HttpHistory): string[] {
  const isKnown = (status: number | undefined) => status === undefined || [200, 202, 503].includes(status)
  return [
    ...sent
      .filter(({ httpStatus }) => !isKnown(httpStatus))
      .map(({ eventId, httpStatus }) => `${eventId} was answered ${httpStatus}`),
    ...reads
      .filter(({ httpStatus }) => !isKnown(httpStatus) && httpStatus !== 404)
      .map(({ ticketId, httpStatus }) => `a look at ${ticketId} was answered ${httpStatus}`),
  ]
}

/** 202: the ticket is there for ever. */
function promiseViolations({ eventId, ticketId }: SentEvent, records: Records): string[] {
  if (ticketId === undefined) return []
  const record = records.get(ticketId)
  if (record === undefined) return [`${eventId}: ${ticketId} was promised and is lost`]
  return record.eventId === eventId ? [] : [`${eventId}: ${ticketId} is the ticket of ${record.eventId}`]
}

/** 503: it is not there, unless the answer said that it does not know. */
function refusalViolations({ sent, records }: HttpHistory): string[] {
  const events = Map.groupBy(sent, ({ eventId }) => eventId)
  return [...events].flatMap(([eventId, tries]) => {
    const isRefused = tries.every((one) => one.httpStatus === 503 && !saysNothing(one))
    const isThere = records.some((record) => record.eventId === eventId)
    return isRefused && isThere ? [`${eventId} was refused, and is there`] : []
  })
}

/** One key: one ticket. */
function keyViolations({ sent, records }: HttpHistory): string[] {
  const keyed = Map.groupBy(
    sent.filter(({ key }) => key !== undefined),
    ({ key }) => key,
  )
  return [...keyed].flatMap(([key, tries]) => {
    const told = tries.flatMap(({ ticketId }) => ticketId ?? [])
    const events = new Set(tries.map(({ eventId }) => eventId))
    const recorded = records.filter(({ eventId }) => events.has(eventId)).map(({ id }) => id)
    const ids = new Set([...told, ...recorded])
    return ids.size > 1 ? [`the key ${key} has ${ids.size} tickets`] : []
  })
}

/** Seen once, a ticket stays; ended once, it has ended. */
function readViolations({ sent, reads }: HttpHistory): string[] {
  const found: string[] = []
  for (const [ticketId, looks] of Map.groupBy(reads, (read) => read.ticketId)) {
    const promisedAt = sent.find((one) => one.ticketId === ticketId)?.end ?? Number.POSITIVE_INFINITY
    for (const look of looks) {
      const isMissing = look.httpStatus === 404 && look.start >= promisedAt
      if (isMissing) found.push(`${ticketId} was promised and not found`)
      // Only what was answered before this look began can bind it.
      const before = looks.filter(({ end = Number.POSITIVE_INFINITY }) => end <= look.start)
      const ended = before.find(isEnd)
      if (ended && look.status !== undefined && look.status !== ended.status) {
        found.push(`${ticketId} was ${ended.status}, and then ${look.status}`)
      }
    }
  }
  return found
}

const isEnd = ({ status }: TicketRead) => status !== undefined && FINISHED.has(status)

/** One outcome, the same for all who see it. */
function outcomeViolations({ reads, callbacks }: HttpHistory, records: Records): string[] {
  const found: string[] = []
  for (const [id, { status, outcome }] of records) {
    if (!FINISHED.has(status)) found.push(`${id} has not ended`)
    const seen = [...reads, ...callbacks].filter((one) => one.ticketId === id && one.outcome !== undefined)
    if (seen.some((one) => one.outcome !== outcome))
      found.push(`${id} was told with another outcome than it has`)
  }
  return found
}

/** A callback tells of an end that there was, under one id, and each end is told. */
function callbackViolations({ callbacks }: HttpHistory, records: Records): string[] {
  const found: string[] = []
  const told = Map.groupBy(callbacks, ({ ticketId }) => ticketId)
  for (const [ticketId, posts] of told) {
    if (!records.has(ticketId)) found.push(`${ticketId} was called back and is not there`)
    const ways = new Set(posts.map(({ webhookId, body }) => `${webhookId} ${body}`))
    if (ways.size > 1) found.push(`${ticketId} was called back in ${ways.size} ways`)
  }
  for (const id of records.keys()) if (!told.has(id)) found.push(`${id} was not called back`)
  return found
}
