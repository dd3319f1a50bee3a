import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** In the order of faulty-disk.c. */
const FAULTS = ['healthy', 'full', 'broken', 'no sync', 'short', 'torn', 'power cut'] as const
export type Fault = (typeof FAULTS)[number]

let compiled: string | false | undefined

/** The library that stands between a process and its disk; false where it cannot be made: it needs Linux and a C compiler. */
export function faultyDisk(): string | false {
  if (compiled !== undefined) return compiled
  const library = join(mkdtempSync(join(tmpdir(), 'faulty-disk-')), 'faulty-disk.so')
  const source = new URL('./faulty-disk.c', import.meta.url).pathname
  try {
    if (process.platform !== 'linux') throw new Error('LD_PRELOAD is for Linux.')
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'pipe' })
    compiled = library
  } catch {
    compiled = false
  }
  return compiled
}

/** The place where a test and the disk of its child agree on what fails. */
export class DiskControl {
  readonly file: string
  readonly #descriptor: number

  constructor(file = join(mkdtempSync(join(tmpdir(), 'faulty-disk-')), 'control')) {
    this.file = file
    writeFileSync(file, Buffer.alloc(16), { flag: 'a' })
    this.#descriptor = openSync(file, 'r+')
  }

  /** After so many writes that succeed, or syncs, all others fail; `torn` and `power cut` end the process. */
  set(fault: Fault, after = 0): void {
    writeSync(
      this.#descriptor,
      new Uint8Array(new Int32Array([FAULTS.indexOf(fault), after, 0, 0]).buffer),
      0,
      16,
      0,
    )
  }

  /** How often the fault was met. */
  get met(): number {
    const numbers = new Int32Array(4)
    readSync(this.#descriptor, new Uint8Array(numbers.buffer), 0, 16, 0)
    return numbers[2] ?? 0
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
