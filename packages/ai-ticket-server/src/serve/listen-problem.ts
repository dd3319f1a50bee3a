import type { Config } from '../config/config.ts'

/** Why the address cannot be listened on, and what to do. */
export function listenProblem(error: unknown, { host, port }: Pick<Config, 'host' | 'port'>): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is taken. Stop the program that has it, or choose another: --port ${port + 1}`
  }
  if (code === 'EACCES')
    return `Port ${port} may not be used by this user. Choose one above 1023: --port 5000`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `${host} is no address of this machine. Choose one that is: --host 127.0.0.1`
  }
  return `Cannot listen on ${host}, port ${port} (${code}). Choose others with --host and --port.`
}
