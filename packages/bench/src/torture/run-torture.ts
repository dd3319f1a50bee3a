import type { DoorName } from './gateways/doors.ts'
import type { Gateway } from './gateways/gateway.ts'
import type { Range } from './gateways/range.ts'
import { ANSWER_ROWS } from './rows/answer-rows.ts'
import { type Finding, fail, notApplicable, type Row } from './rows/finding.ts'
import { HANG_UP_ROWS } from './rows/hang-up-rows.ts'
import { KILL_ROWS } from './rows/kill-row.ts'
import { KOBOLD_ROWS } from './rows/kobold-rows.ts'
import { RETRY_ROWS } from './rows/retry-rows.ts'
import { STREAM_ROWS } from './rows/stream-rows.ts'

/** Repeats come first: budgets of repeats that other rows have spent would show. */
export const ROWS: readonly Row[] = [
  ...RETRY_ROWS,
  ...HANG_UP_ROWS,
  ...KOBOLD_ROWS,
  ...STREAM_ROWS,
  ...ANSWER_ROWS,
  ...KILL_ROWS,
]

/** Those that can be tried by an API. */
export const rowsBy = (door: DoorName, rows: readonly Row[] = ROWS): readonly Row[] =>
  rows.filter(({ doors }) => doors === undefined || doors.includes(door))

/** What one gateway has shown, row by row. */
export interface Score {
  readonly gateway: string
  readonly version: string
  readonly rows: readonly (Finding & { readonly name: string })[]
}

export interface TortureOptions {
  readonly isSlow: boolean
  /** In this order. Default: all. */
  readonly rows?: readonly Row[]
  say(what: string): void
}

/** A row that takes longer than this is given up. */
const ROW_LIMIT_MS = 90_000
const SLOW_ROW_LIMIT_MS = 700_000

export async function torture(gateway: Gateway, range: Range, options: TortureOptions): Promise<Score> {
  const rows: (Finding & { name: string })[] = []
  for (const row of rowsBy(gateway.door ?? 'chat', options.rows)) {
    const finding = await tryRow(row, gateway, range, options)
    rows.push({ name: row.name, ...finding })
    options.say(`${gateway.name}: ${row.name}: ${finding.verdict} (${finding.seen})`)
  }
  return { gateway: gateway.name, version: gateway.version, rows }
}

async function tryRow(
  row: Row,
  gateway: Gateway,
  range: Range,
  { isSlow }: TortureOptions,
): Promise<Finding> {
  if (row.backend !== 'none' && gateway.target(row.backend) === undefined) {
    return notApplicable(`not set up for a ${row.backend} server`)
  }
  const limitMs = isSlow ? SLOW_ROW_LIMIT_MS : ROW_LIMIT_MS
  const limit = Promise.withResolvers<Finding>()
  const controller = new AbortController()
  const timer = setTimeout(() => {
    limit.resolve(fail(`no end within ${limitMs / 1000} s`))
    controller.abort()
  }, limitMs)
  try {
    await range.rest()
    return await Promise.race([row.run({ gateway, range, isSlow, signal: controller.signal }), limit.promise])
  } catch (error) {
    return fail(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error))
  } finally {
    clearTimeout(timer)
  }
}
