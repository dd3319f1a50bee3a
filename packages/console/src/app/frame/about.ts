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

/** The title of the tab, while a screen shows: the most particular first, for tabs are narrow. */
export function titlePage(screen: string): void {
  document.title = [screen, about.label, about.name].filter((part) => part !== '').join(' · ')
}
