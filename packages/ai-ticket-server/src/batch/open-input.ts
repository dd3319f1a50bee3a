import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import { type InputLine, readLines } from './read-lines.ts'

interface BatchInput {
  /** Can be read more than once. */
  readonly isFile: boolean
  lines(): AsyncGenerator<InputLine>
}

/**
 * `-` is stdin. Its beginning has been read when this resolves. Throws a `BatchProblem` for a file that cannot be read,
 * or is of another kind.
 */
export async function openInput(path: string): Promise<BatchInput> {
  if (path === '-') return await openPipe('stdin', process.stdin)
  const refuse = (error: unknown): never => {
    throw new BatchProblem(
      `${path} cannot be read (${reasonOf(error)}). Correct the path.`,
      EXIT.noInput,
      error,
    )
  }
  async function* read(): AsyncGenerator<Buffer> {
    try {
      yield* createReadStream(path, { highWaterMark: 262_144 })
    } catch (error) {
      refuse(error)
    }
  }
  await access(path, constants.R_OK).catch(refuse)
  const stats = await stat(path).catch(refuse)
  if (!stats.isFile()) return await openPipe(path, read())
  const lines = () => readLines(checkSignature(path, read()))
  await checkFirstLines(path, lines())
  return { isFile: true, lines }
}

/** A pipe can be read only once, so the lines already checked are handed on before the rest. */
async function openPipe(name: string, source: AsyncIterable<Buffer>): Promise<BatchInput> {
  const rest = readLines(checkSignature(name, source))
  const first = await checkFirstLines(name, rest)
  async function* lines() {
    yield* first
    yield* rest
  }
  return { isFile: false, lines }
}

/** How many lines may be anything but JSON before the whole file counts as something else. */
const FIRST_LINES = 10

const UTF_16 = 'is in UTF-16. Save it as UTF-8; in PowerShell, write it with Out-File -Encoding utf8.'
const COMPRESSED = 'is compressed. Unpack it first: zcat in.jsonl.gz | ai-ticket batch - -o out.jsonl.'

const SIGNATURES: readonly (readonly [begin: readonly number[], problem: string])[] = [
  [[0xff, 0xfe], UTF_16],
  [[0xfe, 0xff], UTF_16],
  // Without a byte order mark: "{", "[" or a quotation mark, and its other half.
  ...[0x7b, 0x5b, 0x22].flatMap((character) => [
    [[character, 0], UTF_16] as const,
    [[0, character], UTF_16] as const,
  ]),
  [[0x1f, 0x8b], COMPRESSED], // gzip
  [[0x28, 0xb5, 0x2f, 0xfd], COMPRESSED], // zstd
  [[0x42, 0x5a, 0x68], COMPRESSED], // bzip2
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], COMPRESSED], // xz
  [[0x50, 0x4b, 0x03, 0x04], COMPRESSED], // zip, also of a spreadsheet
]

/** Passes the bytes on. Throws a `BatchProblem` if the first ones tell that this is no text in UTF-8. */
async function* checkSignature(name: string, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of source) {
    const found = isFirst && SIGNATURES.find(([begin]) => begin.every((byte, index) => chunk[index] === byte))
    if (found) throw otherKind(name, found[1])
    isFirst = false
    yield chunk
  }
}

/**
 * Takes lines up to the first that is JSON, and gives them back. Throws a `BatchProblem` if there is none: nothing is
 * asked, and no file of results is opened, because of a file of another kind.
 */
async function checkFirstLines(name: string, lines: AsyncGenerator<InputLine>): Promise<InputLine[]> {
  const taken: InputLine[] = []
  while (taken.length < FIRST_LINES) {
    const step = await lines.next()
    if (step.done) break
    taken.push(step.value)
    if (taken.length === 1 && isOpenList(step.value)) throw otherKind(name, LIST)
    if (mayBeJson(step.value)) return taken
  }
  if (taken.length === 0) return taken
  throw otherKind(name, problemOf(taken))
}

function problemOf(lines: readonly InputLine[]): string {
  const texts = lines.map(({ bytes }) => bytes ?? Buffer.alloc(0))
  if (!texts.every((bytes) => isUtf8(bytes))) return NOT_UTF_8
  const opensObject = /^\s*\{/.test(String(texts[0]))
  return opensObject && lines.length > 1 ? SPREAD : NO_JSON
}

const LIST = 'is one JSON list. Write each of its events on a line of its own, for example with jq -c ".[]".'
const SPREAD = 'has JSON that goes over several lines. Write each event on one line, for example with jq -c.'
const NOT_UTF_8 = 'is not valid UTF-8. Convert it first, for example with iconv -f latin1 -t utf-8.'
const NO_JSON = 'is of another kind: none of its first lines is JSON. Write one event as JSON on each line.'

const otherKind = (name: string, problem: string): BatchProblem =>
  new BatchProblem(`${name} ${problem}`, EXIT.badInput)

/** The list goes on in the next line. */
const isOpenList = (line: InputLine): boolean =>
  line.bytes !== undefined && /^\s*\[/.test(line.bytes.toString()) && !mayBeJson(line)

/** A line that is too long was not kept, and is refused by itself later. */
function mayBeJson({ bytes }: InputLine): boolean {
  if (bytes === undefined) return true
  if (!isUtf8(bytes)) return false
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}
