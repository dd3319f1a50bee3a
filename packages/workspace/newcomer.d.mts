export interface Visit {
  readonly home: string
  close(): Promise<void>
}
export interface NewcomerStep {
  readonly name: string
  run(visit: Visit): Promise<void>
}
export const STEPS: readonly NewcomerStep[]
export function openVisit(): Visit
