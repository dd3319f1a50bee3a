import type { FaultEndpoint, KoboldFault } from './contract/kobold-script.ts'

interface Entry {
  readonly fault: KoboldFault
  skipsLeft: number
  timesLeft: number
}

const generations: readonly string[] = ['chat', 'text', 'native']

export function createFaultBook(faults: readonly KoboldFault[]): FaultBook {
  let entries: Entry[] = []
  const add = (fault: KoboldFault) => {
    const { times = Number.POSITIVE_INFINITY, skip = 0 } = fault
    entries.push({ fault, skipsLeft: skip, timesLeft: times })
  }
  const set = (next: readonly KoboldFault[]) => {
    entries = []
    for (const fault of next) add(fault)
  }
  set(faults)
  return {
    set,
    add,
    take(endpoint) {
      for (const entry of entries) {
        if (entry.timesLeft <= 0 || entry.fault.fault === 'refuse' || !reaches(entry.fault, endpoint))
          continue
        if (entry.skipsLeft > 0) {
          entry.skipsLeft -= 1
          continue
        }
        entry.timesLeft -= 1
        return entry.fault
      }
      return undefined
    },
    refuses: () => entries.some((entry) => entry.fault.fault === 'refuse'),
  }
}

function reaches(fault: KoboldFault, endpoint: string): boolean {
  if (fault.fault === 'refuse' || fault.fault === 'reset_on_connect') return endpoint === 'connection'
  const reach: FaultEndpoint = fault.endpoint ?? 'all'
  if (endpoint === 'connection') return false
  return reach === 'any' || reach === endpoint || (reach === 'all' && generations.includes(endpoint))
}

/** The script of faults with its counters. The first one that fits is met; `times` and `skip` count in order of arrival. */
export interface FaultBook {
  set(faults: readonly KoboldFault[]): void
  add(fault: KoboldFault): void
  /** The fault that this call meets, counted. */
  take(endpoint: string): KoboldFault | undefined
  /** Whether the script closes the port. */
  refuses(): boolean
}
