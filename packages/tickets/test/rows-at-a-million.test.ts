import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createSqliteStore, type HistoryEntry, type TicketQuery, type TicketStore } from '../src/index.ts'
import { REFUSAL } from './ticket-store-contract.ts'

const isLong = process.env.AI_TICKET_LONG === '1'
/** The newest of them are large, for these are on the first page. */
const [TICKETS, LARGE] = isLong ? [1_000_000, 400] : [3_000, 100]
const START = 1_800_000_000_000

const entry = (number: number): HistoryEntry => {
  const content = number >= TICKETS - LARGE ? 'large '.repeat(43_000) : `Prompt ${number}, ${'x'.repeat(200)}`
  const wasted = number % 13 === 0 ? REFUSAL.attempts : []
  return {
    event: { id: `evt_${number}`, content, metadata: { order: String(number % 5_000) } },
    eventId: `evt_${number}`,
    caller: `key-${number % 7}`,
    createdAt: START + number,
    finishedAt: START + number + 9,
    outcome: { ...REFUSAL, attempts: wasted },
  }
}

const QUERIES: readonly TicketQuery[] = [
  {},
  { statuses: ['failed'] },
  { isWasted: true },
  { callback: 'dead' },
  { caller: 'key-3', metadata: { order: '4711' } },
  { createdBefore: START + TICKETS / 2 },
]

// The long form is the measure: p95 of all kinds of pages, in the better one of two rounds.
it(`pages of rows at ${TICKETS.toLocaleString('en-US')} tickets are small, and quick`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rows-'))
  try {
    await using store = createSqliteStore({ directory: join(folder, 'data') })
    for (let first = 0; first < TICKETS; first += 500) {
      await store.record(Array.from({ length: 500 }, (_, index) => entry(first + index)))
    }
    const rounds = [await askAll(store), await askAll(store)]
    const p95 = Math.min(
      ...rounds.map((times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? 0),
    )
    if (isLong) process.stdout.write(`rows at ${TICKETS}: p95 ${p95.toFixed(1)} ms\n`)
    if (isLong) expect(p95).toBeLessThanOrEqual(20)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

async function askAll(store: TicketStore): Promise<number[]> {
  const times: number[] = []
  for (const query of QUERIES) {
    for (let asked = 0, cursor: string | undefined; asked < 20; asked++) {
      const began = performance.now()
      const page = await store.listRows({ ...query, limit: 100, ...(cursor === undefined ? {} : { cursor }) })
      times.push(performance.now() - began)
      expect(JSON.stringify(page.rows).length).toBeLessThan(64_000)
      if (page.nextCursor !== undefined && !query.callback && !query.metadata)
        expect(page.rows).toHaveLength(100)
      cursor = page.nextCursor
      if (cursor === undefined) break
    }
  }
  return times
}
