import { type Child, COMPILE_CACHE, runChild } from './run-child.ts'

export interface Server {
  readonly child: Child
  readonly loadMs: number
  readonly startedAt: number
}

/** Servers that have loaded and wait for the word: the next one loads while one is at work. */
export function prepareServers(environment: Readonly<Record<string, string>>) {
  const load = () =>
    runChild(new URL('./ledger-server.ts', import.meta.url), {
      ...environment,
      ...COMPILE_CACHE,
    })
  let spare = load()
  return {
    async next(crashPoint = ''): Promise<Server> {
      const child = spare
      const loadMs = Number((await child.line('loaded ')).split(' ')[1])
      child.tell(`go ${crashPoint}`)
      spare = load()
      return { child, loadMs, startedAt: performance.now() }
    },
    [Symbol.asyncDispose]: () => spare.kill('SIGKILL'),
  }
}

export const urlOf = async ({ child }: Server) =>
  `http://127.0.0.1:${(await child.line('listening ')).split(' ')[1]}`
