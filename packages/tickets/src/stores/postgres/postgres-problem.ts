import { type StoreProblem, StoreUnavailable } from '../../ticket/store-unavailable.ts'

// Classes of SQLSTATE, the first two characters, and whole ones where the class says too little.
const BY_CODE: readonly [prefix: string, problem: StoreProblem, advice: string][] = [
  ['53100', 'full', 'The disk of PostgreSQL is full. Free some space; nothing has to be restarted.'],
  ['25006', 'read_only', 'PostgreSQL takes no writes: a standby, or `default_transaction_read_only`.'],
  [
    '42501',
    'read_only',
    'The role of AI_TICKET_DATABASE_URL may not do this. Give it its schemas, or CREATE on the database.',
  ],
  ['XX001', 'broken', 'PostgreSQL reports damaged data. Look into its log; restore a backup.'],
  ['XX002', 'broken', 'PostgreSQL reports a damaged index. Look into its log; REINDEX mends it.'],
  ['3F000', 'broken', 'The schema is gone. Restore it, or start again to have an empty one.'],
  ['42P01', 'broken', 'A table is gone. Restore it, or start again to have an empty one.'],
  ['3D000', 'unreachable', 'The database does not exist. Create it, or correct AI_TICKET_DATABASE_URL.'],
  ['28', 'unreachable', 'PostgreSQL refused the login. Correct AI_TICKET_DATABASE_URL.'],
  [
    '08P01',
    'unreachable',
    'PostgreSQL, or a pooler in front of it, does not take the connection. Connect to PostgreSQL itself: poolers such as PgBouncer do not pass on all that is needed.',
  ],
  ['08', 'unreachable', 'The connection to PostgreSQL broke. It is retried automatically.'],
  [
    '53',
    'unreachable',
    'PostgreSQL has no room for more connections or memory. It is retried automatically.',
  ],
  [
    '25P03',
    'unreachable',
    'PostgreSQL gave up a transaction that said nothing for too long. It is retried automatically.',
  ],
  ['58', 'unreachable', 'PostgreSQL has trouble with its files. Look into its log and at its disk.'],
  ['XX', 'unreachable', 'PostgreSQL reports an internal error. Look into its log.'],
  ['57P', 'unreachable', 'PostgreSQL is stopping or starting. It is retried automatically.'],
  ['57014', 'unreachable', 'PostgreSQL took too long. It is retried automatically.'],
  ['55P03', 'unreachable', 'PostgreSQL waited too long for a lock. It is retried automatically.'],
]

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])

/** The client of PostgreSQL has words and no codes for a connection that ended. */
const BROKEN_CONNECTION =
  /connection terminated|timeout exceeded when trying to connect|not queryable|query read timeout|connection ended|after calling end on the pool|closed the connection|transaction is already settled/i

/** Tells what became of PostgreSQL from a bug of ours: the first is `StoreUnavailable`, the second is given back as it is. */
export function postgresProblem(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error
  const code = codeOf(error)
  const known = BY_CODE.find(([prefix]) => code?.startsWith(prefix))
  if (known) return new StoreUnavailable(known[1], known[2], error)
  if (!(code && NETWORK.has(code)) && !BROKEN_CONNECTION.test(error.message)) return error
  return new StoreUnavailable(
    'unreachable',
    `PostgreSQL cannot be reached${code === undefined ? '' : ` (${code})`}. Check that it runs and that AI_TICKET_DATABASE_URL is right; it is retried automatically.`,
    error,
  )
}

/** What keeps one from connecting is never a bug of ours, in whatever words it comes: those of TLS have no code. */
export function connectionProblem(error: unknown): unknown {
  const known = postgresProblem(error)
  if (known instanceof StoreUnavailable || !(error instanceof Error)) return known
  const words = error.message.replace(/[.\s]+$/, '')
  return new StoreUnavailable(
    'unreachable',
    `PostgreSQL cannot be reached: ${words}. Correct AI_TICKET_DATABASE_URL, or the settings of PostgreSQL.`,
    error,
  )
}

/** Two transactions stood in each other's way, and PostgreSQL has undone one: it is run again. */
export const isConflict = (error: unknown): boolean =>
  error instanceof Error && ['40001', '40P01'].includes(codeOf(error) ?? '')

function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code
  // Several addresses of one name were tried: each has its error.
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error ? codeOf(first) : undefined
}
