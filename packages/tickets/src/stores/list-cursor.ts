/** Where a page of a list ends, as it stands in the row: nobody may have put it in range. */
export const writeCursor = ({ created_at, seq }: Readonly<Record<string, unknown>>): string =>
  Buffer.from(`1:${created_at}:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
export function readCursor(cursor: string): readonly [createdAt: bigint, seq: bigint] {
  const [, createdAt, seq] =
    /^1:(-?\d{1,19}):(-?\d{1,19})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (createdAt === undefined || seq === undefined) return NOTHING_AFTER
  const place = [BigInt(createdAt), BigInt(seq)] as const
  return place.every((value) => BigInt.asIntN(64, value) === value) ? place : NOTHING_AFTER
}

const LOWEST = -(2n ** 63n)
const NOTHING_AFTER = [LOWEST, LOWEST] as const
