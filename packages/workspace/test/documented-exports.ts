import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type Comment, type Program, parseSync } from 'oxc-parser'
import { type PublishedPackage, ROOT } from './published-packages.ts'

/** A statement or member of the syntax tree, as far as it is looked at here. */
interface Node {
  readonly type: string
  readonly start: number
  readonly key?: { readonly name?: string; readonly type?: string }
  readonly id?: { readonly name?: string }
  readonly body?: unknown
  readonly accessibility?: string
}

interface Source {
  readonly program: Program
  readonly text: string
  readonly comments: readonly Comment[]
}

function readSource(path: string): Source {
  const text = readFileSync(path, 'utf8')
  const { program, comments } = parseSync(path, text)
  return { program, text, comments }
}

/**
 * `file.ts name` for each export of an entry point, and each member of what it exports, that has no doc comment. What
 * the entry re-exports from another package is that package's to document.
 */
export function undocumentedExports(entry: string): string[] {
  const missing = readSource(entry).program.body.flatMap((statement) => {
    if (statement.type !== 'ExportNamedDeclaration' || !statement.source?.value.startsWith('.')) return []
    const path = join(dirname(entry), statement.source.value)
    const names = statement.specifiers.map(({ local }) => (local.type === 'Identifier' ? local.name : ''))
    return undocumentedIn(path, names).map((name) => `${relative(ROOT, path)} ${name}`)
  })
  const own = undocumentedIn(entry).map((name) => `${relative(ROOT, entry)} ${name}`)
  return [...new Set([...missing, ...own])].sort()
}

/** Where the code of a package can be entered: the source of each of its `exports`. */
export const entriesOf = ({ folder, manifest }: PublishedPackage): readonly string[] =>
  Object.values(manifest.exports).flatMap((target) => {
    const source = typeof target === 'object' && target !== null && '@ai-ticket/source' in target
    return source ? [join(folder, String(target['@ai-ticket/source']))] : []
  })

/** Without names: everything that the file exports. */
function undocumentedIn(path: string, names?: readonly string[]): string[] {
  const source = readSource(path)
  const found = new Set<string>()
  const missing: string[] = []
  for (const statement of source.program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) continue
    for (const { name, declaration } of declared(statement.declaration as unknown as Node)) {
      // The first overload speaks for all.
      if (names?.includes(name) === false || found.has(name)) continue
      found.add(name)
      if (!isDocumented(source, statement.start)) missing.push(name)
      missing.push(...undocumentedMembers(source, declaration).map((member) => `${name}.${member}`))
    }
  }
  return missing
}

function declared(declaration: Node): { name: string; declaration: Node }[] {
  const { declarations } = declaration as { declarations?: readonly Node[] }
  const all = declarations ?? [declaration]
  return all.flatMap((one) => (one.id?.name === undefined ? [] : [{ name: one.id.name, declaration: one }]))
}

function undocumentedMembers(source: Source, declaration: Node): string[] {
  const seen = new Set<string>()
  return membersOf(declaration).flatMap((member) => {
    const name = member.key?.name
    const isPrivate = member.key?.type === 'PrivateIdentifier' || member.accessibility === 'private'
    if (name === undefined || name === 'constructor' || isPrivate || seen.has(name)) return []
    seen.add(name)
    return isDocumented(source, member.start) ? [] : [name]
  })
}

function membersOf({ type, body, ...rest }: Node): readonly Node[] {
  if (type === 'TSInterfaceDeclaration' || type === 'ClassDeclaration') {
    return (body as { readonly body: readonly Node[] }).body
  }
  const { typeAnnotation } = rest as { typeAnnotation?: { type: string; members?: readonly Node[] } }
  return type === 'TSTypeAliasDeclaration' && typeAnnotation?.type === 'TSTypeLiteral'
    ? (typeAnnotation.members ?? [])
    : []
}

const isDocumented = ({ text, comments }: Source, start: number): boolean =>
  comments.some(
    ({ type, value, end }) =>
      type === 'Block' && value.startsWith('*') && end <= start && text.slice(end, start).trim() === '',
  )
