import { effect, signal } from '@preact/signals'
import { feedState, liveDesk } from '../live/live.ts'
import alertIcon from './icon-alert.svg'
import { failedSince } from './use-failed.ts'

/** What the operator calls this console, written into the page by the server. */
interface About {
  readonly name: string
  /** Tells servers apart; empty: none. */
  readonly label: string
  readonly hasLogo: boolean
}

const read = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="ai-ticket-${name}"]`)?.content ?? ''

export const about: About = {
  name: read('name') || 'AI Ticket',
  label: read('label'),
  hasLogo: read('logo') !== '',
}

const title = signal('')

/** The title of the tab, while a screen shows: the most particular first, for tabs are narrow. */
export const titlePage = (screen: string): void => {
  title.value = screen
}

/** Keeps title and icon of the tab: among twenty tabs, they say whether somebody should look. To be called once. */
export function followTab(): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')
  const calm = icon?.href ?? ''
  effect(() => {
    const failed = failedSince.value ?? 0
    const name = [title.value, about.label, about.name].filter((part) => part !== '').join(' · ')
    document.title = failed > 0 ? `(${failed}) ${name}` : name
    if (icon) icon.href = failed > 0 || isInTrouble() ? alertIcon : calm
  })
}

const isInTrouble = (): boolean =>
  feedState.value.kind === 'lost' ||
  liveDesk.value?.store.status === 'unavailable' ||
  liveDesk.value?.backends.some(({ state }) => state === 'down' || state === 'stuck') === true
