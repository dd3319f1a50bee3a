import { base } from './api/addresses.ts'
import type { ShortcutId } from './keyboard/shortcuts.ts'

/** A screen of the navigation. `path` is below the console's own address. */
export interface NavigationEntry {
  readonly path: string
  readonly title: string
  readonly keys: ShortcutId
}

/** In the order of the bar. */
export const NAVIGATION: readonly NavigationEntry[] = [
  { path: '', title: 'Overview', keys: 'go.overview' },
  { path: 'line', title: 'Line', keys: 'go.line' },
  { path: 'tickets', title: 'Tickets', keys: 'go.tickets' },
  { path: 'dead', title: 'Dead letters', keys: 'go.dead' },
  { path: 'compose', title: 'Compose', keys: 'go.compose' },
  { path: 'config', title: 'Config', keys: 'go.config' },
  { path: 'access', title: 'Access', keys: 'go.access' },
]

/** The address of a screen. */
export const screenPath = (path: string): string => `${base}${path}`
