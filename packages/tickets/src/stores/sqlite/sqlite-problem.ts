import { StoreUnavailable } from '../../ticket/store-unavailable.ts'

// Primary result codes of SQLite; the higher bits say more and are not needed.
const READ_ONLY = new Set([8, 3])
const FULL = 13
const BROKEN = new Set([11, 26])
/** The tables are not those that this program makes: SQLite says so as of a wrong statement. */
const OTHER_TABLES =
  /^(?:no such (?:column|table|index|function)|unknown function|table \S+ has no column|malformed database schema)/
const LOCKED = new Set([5, 6])
const CANNOT_OPEN = new Set([14, 10])
/** Of the system. ENOENT: a folder that is there takes no new ones, as in /proc. */
const UNREACHABLE: ReadonlySet<unknown> = new Set([
  'ENOTDIR',
  'EEXIST',
  'EISDIR',
  'EIO',
  'ENOENT',
  'ELOOP',
  'ENAMETOOLONG',
])

const ELSEWHERE = 'or name another folder (AI_TICKET_DATA_DIR)'

/** Tells what the disk did from a bug of ours: the first is `StoreUnavailable`, the second is given back as it is. */
export function sqliteProblem(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error
  const code = errorCode(error)
  if (code === undefined) return error
  if (code === FULL) return problem('full', 'The disk is full. Free some space; nothing has to be restarted.')
  if (READ_ONLY.has(code)) {
    return problem(
      'read_only',
      `${file} may not be written. Check the rights of the folder and its disk, ${ELSEWHERE}.`,
    )
  }
  if (BROKEN.has(code) || (code === 1 && OTHER_TABLES.test(error.message))) {
    return problem(
      'broken',
      `${file} is damaged or no database. Move it aside and start again; \`sqlite3 tickets.db .recover\` saves what it holds.`,
    )
  }
  if (LOCKED.has(code)) return problem('locked', `${file} is locked by another program. End its transaction.`)
  if (CANNOT_OPEN.has(code)) {
    return problem(
      'unreachable',
      `${file} cannot be opened, read or written. Check the folder and its disk, ${ELSEWHERE}.`,
    )
  }
  return error

  function problem(kind: StoreUnavailable['problem'], message: string): StoreUnavailable {
    return new StoreUnavailable(kind, message, error)
  }
}

/** The code of SQLite itself, or of the system where the folder was at fault. */
function errorCode(error: Error): number | undefined {
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff
  if (!('code' in error)) return undefined
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return FULL
  if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM') return 8
  return UNREACHABLE.has(error.code) ? 14 : undefined
}
