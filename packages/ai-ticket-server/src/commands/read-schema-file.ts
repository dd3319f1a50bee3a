import { readFileSync } from 'node:fs'
import { UsageError } from '../program/command-line.ts'

/** The JSON Schema in a file. Whether it is a good one is the desk's to say. Throws a `UsageError`. */
export function readSchemaFile(path: string): object {
  const schema = parse(path, read(path))
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema
  throw new UsageError(`--schema: ${path} must hold a JSON object.`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unreadable'
    throw new UsageError(`--schema: ${path} cannot be read (${code}).`)
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`--schema: ${path} holds no valid JSON.`)
  }
}
