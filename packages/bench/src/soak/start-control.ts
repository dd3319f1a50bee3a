import { type ChildProcess, spawn } from 'node:child_process'

/** A process that does nothing but be asked: how late its event loop is, the machine is. */
export function startControl(inside: string): { child: ChildProcess } & AsyncDisposable {
  const flags = ['--expose-gc', '--import', inside, '--eval', 'setInterval(() => {}, 1000)']
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  // A soak that breaks off leaves it behind otherwise.
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    child,
    async [Symbol.asyncDispose]() {
      process.off('exit', kill)
      kill()
      await ended
    },
  }
}
