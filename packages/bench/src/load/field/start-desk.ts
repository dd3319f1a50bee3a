import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../../../workspace/free-port.mjs'
import { SERVER_BIN } from '../../servers/contenders.ts'
import { type RunningProgram, startProgram } from '../../servers/running-program.ts'

export interface DeskBackend {
  readonly name: string
  readonly type: 'kobold' | 'openai'
  readonly url: string
  readonly concurrency: number
  readonly aliases?: Readonly<Record<string, string>>
}

export interface StartDeskOptions {
  readonly folder: string
  readonly backends: readonly DeskBackend[]
  /** Taken again by a server that is started a second time. Default: a free one. */
  readonly port?: number
  /** Flags of Node in front of the program. */
  readonly nodeFlags?: readonly string[]
  /** With a channel for messages: `desk.child.send`. */
  readonly withChannel?: boolean
}

/** The published bin with its defaults, tickets and history on disk in the folder, its log in a file. */
export async function startDesk(options: StartDeskOptions): Promise<RunningProgram> {
  const { folder, backends, nodeFlags = [], withChannel = false } = options
  const port = options.port ?? (await freePort())
  const program = () => {
    const config = join(folder, 'ai-ticket.json')
    writeFileSync(config, JSON.stringify({ backends, data_dir: join(folder, 'data') }))
    const args = [...nodeFlags, SERVER_BIN, '--port', String(port), '--config', config]
    return { args, keepsLog: true, withChannel }
  }
  return startProgram(program, { name: 'ai-ticket-server', port, folder, healthPath: '/health' })
}
