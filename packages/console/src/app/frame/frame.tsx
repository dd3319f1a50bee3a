import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { base } from '../api/addresses.ts'
import { keyWanted } from '../api/key.ts'
import { useShortcuts } from '../keyboard/use-shortcuts.ts'
import { togglePause } from '../live/live.ts'
import { NAVIGATION, screenPath } from '../navigation.ts'
import { Action, Keys } from '../parts/action.tsx'
import { lateDialog } from '../parts/dialog.tsx'
import { Notices, say } from '../parts/notice.tsx'
import parts from '../parts/parts.module.css'
import { chooseUtc, isUtc } from '../parts/when.tsx'
import { chooseTheme, nextTheme, THEMES, type ThemeChoice, themeChoice } from '../theme/theme.ts'
import { about } from './about.ts'
import { Banners, DeskSummary } from './desk-summary.tsx'
import styles from './frame.module.css'
import { failedSince, useFailed } from './use-failed.ts'

// Opened now and then, and not before the first screen is there.
const Palette = lateDialog(() => import('../palette/palette.tsx').then((late) => late.Palette))
const KeyDialog = lateDialog(() => import('./key-dialog.tsx').then((late) => late.KeyDialog))
const HelpDialog = lateDialog(() => import('./help-dialog.tsx').then((late) => late.HelpDialog))

/** What is around every screen: who this is, how the desk is, where else to go. */
export function Frame({ children }: { readonly children: ComponentChildren }) {
  const [open, setOpen] = useState<'help' | 'palette'>()
  const close = () => setOpen(undefined)
  const { route } = useLocation()
  const main = useKeptFocus()
  useFailed()
  useShortcuts({
    ...Object.fromEntries(NAVIGATION.map(({ keys, path }) => [keys, () => route(screenPath(path))])),
    help: () => setOpen('help'),
    palette: () => setOpen('palette'),
    pause: togglePause,
    theme: () => {
      chooseTheme(nextTheme())
      say(`Theme: ${themeWords(themeChoice.value)}`)
    },
    zone: () => {
      chooseUtc(!isUtc.value)
      say(isUtc.value ? 'Times are in UTC.' : 'Times are in your zone.')
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
          <Tools open={setOpen} />
        </div>
        <Navigation />
        <Banners />
      </header>
      <main class={styles.main} id="main" tabIndex={-1} ref={main}>
        {children}
      </main>
      <Notices />
      {keyWanted.value && <KeyDialog close={() => (keyWanted.value = false)} />}
      {open === 'help' && <HelpDialog close={close} />}
      {open === 'palette' && <Palette close={close} />}
    </>
  )
}

/**
 * Keeps the focus on something: where what had it is gone, or is on a page that was left, it goes to the content, so that
 * the next Tab and a screen reader go on there, and not at the top of the page.
 */
function useKeptFocus() {
  const main = useRef<HTMLElement>(null)
  const { path } = useLocation()
  // At once: not even the first frame is without.
  useLayoutEffect(() => {
    const keep = () => {
      const { activeElement: at } = document
      if (at !== null && at !== document.body && !at.matches(':disabled')) return
      const dialog = document.querySelector<HTMLElement>('dialog[open]')
      const target = dialog ?? main.current
      target?.focus({ preventScroll: true })
    }
    // The browser tells nobody when what has the focus is taken away.
    const observer = new MutationObserver(keep)
    observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] })
    const later = ({ relatedTarget: next }: FocusEvent) => {
      if (next === null) setTimeout(keep)
    }
    document.addEventListener('focusout', later)
    keep()
    return () => {
      observer.disconnect()
      document.removeEventListener('focusout', later)
    }
  }, [])
  useEffect(() => {
    if (
      main.current?.contains(document.activeElement) === false &&
      document.querySelector('dialog[open]') === null
    )
      main.current.focus({ preventScroll: true })
  }, [path])
  return main
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
                {title}
                {own === 'dead' && <NewFailures />}
                <Keys of={keys} />
              </a>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}

/** How many have failed since somebody last looked there. */
function NewFailures() {
  const count = failedSince.value ?? 0
  if (count === 0) return null
  return (
    <span class={styles.count}>
      {count} <span class={parts.hidden}>new</span>
    </span>
  )
}

function Tools({ open }: { readonly open: (what: 'help' | 'palette') => void }) {
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
      <Action does={() => open('palette')} keys="palette">
        Find
      </Action>
      <Action does={() => open('help')} keys="help">
        Keys
      </Action>
    </div>
  )
}

const themeWords = (theme: ThemeChoice): string =>
  theme === 'system' ? 'as the system' : theme.replace('contrast-', 'contrast, ')
