import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type Comment, type Program, parseSync } from 'oxc-parser'
import { ROOT } from './published-packages.ts'

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

/** `file.ts name` for each export of a package, and each member of what it exports, that has no doc comment. */
export function undocumentedExports(index: string): string[] {
  const missing = readSource(index).program.body.flatMap((statement) => {
    if (statement.type !== 'ExportNamedDeclaration' || statement.source === null) return []
    const path = join(dirname(index), statement.source.value)
    const names = statement.specifiers.map(({ local }) => (local.type === 'Identifier' ? local.name : ''))
    return undocumentedIn(path, names).map((name) => `${relative(ROOT, path)} ${name}`)
  })
  return [...new Set(missing)].sort()
}

function undocumentedIn(path: string, names: readonly string[]): string[] {
  const source = readSource(path)
  const found = new Set<string>()
  const missing: string[] = []
  for (const statement of source.program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) continue
    for (const { name, declaration } of declared(statement.declaration as unknown as Node)) {
      // The first overload speaks for all.
      if (!names.includes(name) || found.has(name)) continue
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
