import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { base } from '../api/addresses.ts'
import { useShortcuts } from '../keyboard/use-shortcuts.ts'
import { togglePause } from '../live/live.ts'
import { NAVIGATION, screenPath } from '../navigation.ts'
import { Keys } from '../parts/action.tsx'
import { Notices, say } from '../parts/notice.tsx'
import { chooseTheme, nextTheme, THEMES, type ThemeChoice, themeChoice } from '../theme/theme.ts'
import { about } from './about.ts'
import { DeskSummary } from './desk-summary.tsx'
import styles from './frame.module.css'
import { HelpDialog } from './help-dialog.tsx'
import { KeyDialog } from './key-dialog.tsx'

/** What is around every screen: who this is, how the desk is, where else to go. */
export function Frame({ children }: { readonly children: ComponentChildren }) {
  const [isHelpOpen, setHelpOpen] = useState(false)
  const { route } = useLocation()
  useShortcuts({
    ...Object.fromEntries(NAVIGATION.map(({ keys, path }) => [keys, () => route(screenPath(path))])),
    help: () => setHelpOpen(true),
    pause: togglePause,
    theme: () => {
      chooseTheme(nextTheme())
      say(`Theme: ${themeWords(themeChoice.value)}`)
    },
  })
  return (
    <>
      <a class={styles.skip} href="#main">
        To the content
      </a>
      <header class={styles.top}>
        <div class={styles.bar}>
          <a class={styles.brand} href={base}>
            {about.hasLogo && <img src={`${base}logo.svg`} alt="" />}
            {about.name}
          </a>
          {about.label !== '' && <span class={styles.label}>{about.label}</span>}
          <DeskSummary />
          <Tools openHelp={() => setHelpOpen(true)} />
        </div>
        <Navigation />
      </header>
      <main class={styles.main} id="main" tabIndex={-1}>
        {children}
      </main>
      <Notices />
      <KeyDialog />
      {isHelpOpen && <HelpDialog close={() => setHelpOpen(false)} />}
    </>
  )
}

function Navigation() {
  const { path } = useLocation()
  return (
    <nav class={styles.nav} aria-label="Screens">
      <ul>
        {NAVIGATION.map(({ path: own, title, keys }) => {
          const address = screenPath(own)
          // The Overview has the console's own address, with which all others begin.
          const isHere = own === '' ? path === base || `${path}/` === base : path.startsWith(address)
          return (
            <li key={own}>
              <a href={address} aria-current={isHere ? 'page' : undefined}>
                {title} <Keys of={keys} />
              </a>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}

function Tools({ openHelp }: { readonly openHelp: () => void }) {
  return (
    <div class={styles.tools}>
      <select
        aria-label="Theme"
        value={themeChoice.value}
        onChange={(event) => chooseTheme(event.currentTarget.value as ThemeChoice)}
      >
        {THEMES.map((theme) => (
          <option key={theme} value={theme}>
            {themeWords(theme)}
          </option>
        ))}
      </select>
      <button type="button" onClick={openHelp}>
        Keys <Keys of="help" />
      </button>
    </div>
  )
}

const themeWords = (theme: ThemeChoice): string =>
  theme === 'system' ? 'as the system' : theme.replace('contrast-', 'contrast, ')
