import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')

/** Every page that people read, by its path from the root. */
export const pages: readonly string[] = globSync(
  ['README.md', 'docs/**/*.md', 'packages/*/README.md', 'examples/README.md', '.github/*.md'],
  { cwd: ROOT, exclude: (name) => name.endsWith('node_modules') },
).toSorted()

export const readPage = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

export interface CodeBlock {
  readonly page: string
  /** Of the first line of code, from 1. */
  readonly line: number
  readonly language: string
  /** Words after the language: `runnable`, `from=examples/…`. */
  readonly marks: readonly string[]
  readonly code: string
}

export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = readPage(page).split('\n')
  for (let index = 0; index < lines.length; index++) {
    const opening = /^( *)```(\S*) *(.*)$/.exec(lines[index] ?? '')
    if (opening === null) continue
    const [, indent = '', language = '', marks = ''] = opening
    const start = index + 1
    do index++
    while (index < lines.length && lines[index] !== `${indent}\`\`\``)
    const code = lines.slice(start, index).map((text) => text.slice(indent.length))
    blocks.push({
      page,
      line: start + 1,
      language,
      marks: marks.split(' ').filter((mark) => mark !== ''),
      code: `${code.join('\n')}\n`,
    })
  }
  return blocks
}

/** The value of a mark like `from=…`. */
export const markOf = ({ marks }: CodeBlock, name: string): string | undefined =>
  marks.find((mark) => mark.startsWith(`${name}=`))?.slice(name.length + 1)

export const placeOf = ({ page, line }: CodeBlock): string => `${page}:${line}`

/** The text without its code blocks. */
export const prose = (page: string): string => readPage(page).replace(/^ *```[\s\S]*?^ *```$/gm, '')

export type Row = Readonly<Record<string, string>>

/** All rows of the tables whose head is exactly this. Throws where there is none: a check of nothing proves nothing. */
export function tableRows(page: string, head: readonly string[]): Row[] {
  const rows: Row[] = []
  let isInside = false
  for (const line of prose(page).split('\n')) {
    const cells = cellsOf(line)
    if (cells === undefined) isInside = false
    else if (cells.join('|') === head.join('|')) isInside = true
    else if (isInside && !cells.every((cell) => /^:?-+:?$/.test(cell))) {
      rows.push(Object.fromEntries(head.map((name, index) => [name, cells[index] ?? ''])))
    }
  }
  if (rows.length === 0) throw new Error(`${page} has no table with the head ${head.join(' | ')}`)
  return rows
}

function cellsOf(line: string): string[] | undefined {
  const text = line.trim()
  if (!text.startsWith('|')) return undefined
  return text
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** What stands between backticks in a cell, or the cell itself. */
export const plain = (cell = ''): string => /^`([^`]*)`$/.exec(cell)?.[1] ?? cell
