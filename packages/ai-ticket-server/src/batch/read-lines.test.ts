import { expect, test } from 'vitest'
import { type InputLine, MAX_LINE_BYTES, readLines } from './read-lines.ts'

async function linesOf(text: string | Buffer, chunkBytes = 7): Promise<InputLine[]> {
  const bytes = Buffer.from(text)
  async function* chunks() {
    for (let start = 0; start < bytes.length; start += chunkBytes)
      yield bytes.subarray(start, start + chunkBytes)
  }
  const lines: InputLine[] = []
  for await (const line of readLines(chunks())) lines.push(line)
  return lines
}

const textsOf = (lines: readonly InputLine[]) => lines.map(({ number, bytes }) => [number, bytes?.toString()])

test('a byte order mark, CRLF, empty lines and a missing last newline are left out; numbers count them', async () => {
  const lines = await linesOf('\uFEFF{"a":"Grüße 🎫"}\r\n\n  \t\r\n{"b":1}\n"c"')
  expect(textsOf(lines)).toEqual([
    [1, '{"a":"Grüße 🎫"}'],
    [4, '{"b":1}'],
    [5, '"c"'],
  ])
})

test('the hash is of the line itself, whatever the chunks and the line ends', async () => {
  const [plain] = await linesOf('{"a":1}\n', 3)
  const [windows] = await linesOf('\uFEFF{"a":1}\r\n', 1)
  const [other] = await linesOf('{"a":2}\n')
  expect(plain?.hash).toMatch(/^[0-9a-f]{13}$/)
  expect(windows?.hash).toBe(plain?.hash)
  expect(other?.hash).not.toBe(plain?.hash)
})

test('a line of the longest length is kept, a longer one only counted', async () => {
  const longest = 'x'.repeat(MAX_LINE_BYTES)
  const lines = await linesOf(`${longest}\r\n${longest}yz\n${longest}zy\n"d"\n`, 65_536)
  expect(lines.map(({ bytes }) => bytes?.length)).toEqual([MAX_LINE_BYTES, undefined, undefined, 3])
  expect(lines[1]?.hash).not.toBe(lines[2]?.hash)
})
