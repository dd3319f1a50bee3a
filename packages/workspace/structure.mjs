// What the house looks like, package by package: `npm run structure` prints the table of docs/architecture.md, and
// test/structure.test.ts holds its bounds. Reads the sources as text; types and import() count as imports.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseSync, Visitor } from 'oxc-parser'

const ROOT = resolve(import.meta.dirname, '../..')

/** A file shorter than this with one importer may as well live with it. */
const SMALL_LINES = 25

/** What each package may have at most. */
export const BOUNDS = {
  core: { files: 100, functionLines: 60 },
  server: { files: 65, functionLines: 60 },
  tickets: { files: 70, functionLines: 60 },
  doors: { files: 60, functionLines: 60 },
  'ai-ticket-server': { files: 55, functionLines: 60 },
  testkit: { files: 62, functionLines: 60 },
  control: { files: 45, functionLines: 60 },
  llama: { files: 20, functionLines: 60 },
  console: { files: 90, functionLines: 60 },
}

/** `ls src` shows at most so many entries; a room may hold a few more. */
export const MOST_ENTRIES = { top: 14, room: 25 }

/** Measures the sources of one package, tests left out. */
export function measure(name) {
  const folder = join(ROOT, 'packages', name, 'src')
  const files = sourcesIn(folder).map((path) => readSource(path))
  const importersOf = new Map(files.map(({ path }) => [path, []]))
  for (const { path, imports } of files) {
    for (const imported of imports) importersOf.get(imported)?.push(path)
  }
  const functions = files.flatMap(({ path, functions }) =>
    functions.map((one) => ({ ...one, file: relative(folder, path).split(sep).join('/') })),
  )
  return {
    name,
    files: files.length,
    small: files.filter(({ path, lines }) => lines < SMALL_LINES && importersOf.get(path)?.length === 1)
      .length,
    top: entriesIn(folder).length,
    fullest: fullestRoom(folder),
    functions: functions.toSorted((one, other) => other.lines - one.lines),
    circles: circlesIn(files),
  }
}

/** The table of docs/architecture.md. */
export function structureTable() {
  const rows = Object.keys(BOUNDS).map((name) => {
    const { files, small, top, fullest, functions, circles } = measure(name)
    const [longest] = functions
    return [
      `\`${name}\``,
      `${files} (${BOUNDS[name].files})`,
      small,
      `${top} (${MOST_ENTRIES.top})`,
      fullest === undefined ? '–' : `${fullest.entries} in \`${fullest.room}\` (${MOST_ENTRIES.room})`,
      `${longest.lines}, \`${longest.name}\``,
      circles.length,
    ]
  })
  const head = [
    'package',
    'files',
    'small',
    'entries of `src`',
    'fullest room',
    'longest function',
    'circles',
  ]
  const table = [head, ...rows].map((cells) => cells.map(String))
  const widths = head.map((_, column) => Math.max(...table.map((cells) => cells[column].length)))
  const [names, ...values] = table.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])))
  return [names, widths.map((width) => '-'.repeat(width)), ...values]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

function sourcesIn(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !/\.test(-d)?\.ts$/.test(path))
    .map((path) => join(folder, path))
}

function entriesIn(folder) {
  return readdirSync(folder).filter((entry) => !/\.test(-d)?\.ts$/.test(entry))
}

function fullestRoom(folder) {
  const rooms = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  return rooms
    .map((room) => {
      const path = join(room.parentPath, room.name)
      return { room: relative(folder, path).split(sep).join('/'), entries: entriesIn(path).length }
    })
    .toSorted((one, other) => other.entries - one.entries)
    .at(0)
}

function readSource(path) {
  const text = readFileSync(path, 'utf8')
  const { program, module, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0].message}`)
  const functions = []
  const lineOf = lineFinder(text)
  const note = (node) => {
    const lines = lineOf(node.end - 1) - lineOf(node.start) + 1
    functions.push({ name: nameAt(text, node), lines, hasReason: hasReason(text, node) })
  }
  const visitor = new Visitor({
    FunctionDeclaration: note,
    FunctionExpression: note,
    ArrowFunctionExpression: note,
  })
  visitor.visit(program)
  const specifiers = [
    ...module.staticImports.map((one) => one.moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])),
    ),
    ...module.dynamicImports.map((one) => text.slice(one.moduleRequest.start + 1, one.moduleRequest.end - 1)),
    ...[...text.matchAll(/typeof import\('(\.[^']+)'\)|import\('(\.[^']+)'\)\./g)].map(
      (found) => found[1] ?? found[2],
    ),
  ]
  const imports = [
    ...new Set(specifiers.filter((one) => one.startsWith('.')).map((one) => join(dirname(path), one))),
  ]
  return { path, lines: text.split('\n').length - 1, imports, functions }
}

/** `functionName`, or what an arrow function is given to. */
function nameAt(text, node) {
  if (node.id) return node.id.name
  const before = text.slice(Math.max(0, node.start - 200), node.start)
  return (
    /(\w+)(?:<[^=]*>)?(?::[^=]*)?\s*[=:]\s*(?:async\s+)?$/.exec(before)?.[1] ??
    /(\w+)\s*$/.exec(before)?.[1] ??
    'anonymous'
  )
}

/** A long function says why it is one in a comment above it: "Long because …". */
const hasReason = (text, node) =>
  /Long because/.test(text.slice(Math.max(0, node.start - 600), node.start + 200))

function lineFinder(text) {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle] <= offset) low = middle
      else high = middle
    }
    return low
  }
}

/** Groups of files that import each other (Tarjan). */
function circlesIn(files) {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]))
  const seen = new Map()
  const stack = []
  const circles = []
  const visit = (path) => {
    const node = { index: seen.size, low: seen.size, isOpen: true }
    seen.set(path, node)
    stack.push(path)
    for (const next of importsOf.get(path) ?? []) {
      if (!importsOf.has(next)) continue
      const known = seen.get(next)
      if (!known) node.low = Math.min(node.low, visit(next).low)
      else if (known.isOpen) node.low = Math.min(node.low, known.index)
    }
    if (node.low === node.index) {
      const group = stack.splice(stack.indexOf(path))
      for (const member of group) seen.get(member).isOpen = false
      if (group.length > 1) circles.push(group)
    }
    return node
  }
  for (const path of importsOf.keys()) if (!seen.has(path)) visit(path)
  return circles
}

/** Puts the table between its marks in docs/architecture.md. */
function writeTable() {
  const page = join(ROOT, 'docs/architecture.md')
  const text = readFileSync(page, 'utf8')
  const [start, end] = ['<!-- structure -->', '<!-- /structure -->']
  const before = text.slice(0, text.indexOf(start) + start.length)
  writeFileSync(page, `${before}\n\n${structureTable()}\n\n${text.slice(text.indexOf(end))}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--write')) writeTable()
  process.stdout.write(`${structureTable()}\n`)
}
