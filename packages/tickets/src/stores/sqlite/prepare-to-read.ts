import type { DatabaseSync } from 'node:sqlite'

/**
 * Whole numbers come as `bigint`: as numbers, one beyond 2^53 in any row would make SQLite's driver refuse the whole
 * answer.
 */
export function prepareToRead(database: DatabaseSync, sql: string): ReturnType<DatabaseSync['prepare']> {
  const statement = database.prepare(sql)
  statement.setReadBigInts(true)
  return statement
}
