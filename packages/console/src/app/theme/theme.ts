import { effect, signal } from '@preact/signals'

/** What the reader chose. `system`: whatever the system says, contrast included. */
export type ThemeChoice = 'system' | 'light' | 'dark' | 'contrast-light' | 'contrast-dark'

export const THEMES: readonly ThemeChoice[] = ['system', 'light', 'dark', 'contrast-light', 'contrast-dark']

const STORED = 'ai-ticket-console-theme'

export const themeChoice = signal<ThemeChoice>(readChoice())

const dark = matchMedia('(prefers-color-scheme: dark)')
const contrast = matchMedia('(prefers-contrast: more)')
const systemChanges = signal(0)
for (const query of [dark, contrast]) query.addEventListener('change', () => (systemChanges.value += 1))

/** Keeps the page in the theme that was chosen, from now on. */
export function followTheme(): void {
  effect(() => {
    systemChanges.value
    document.documentElement.dataset.theme = themeChoice.value === 'system' ? ofSystem() : themeChoice.value
  })
}

export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.value = choice
  localStorage.setItem(STORED, choice)
}

/** The next one of the list. */
export const nextTheme = (): ThemeChoice =>
  THEMES[(THEMES.indexOf(themeChoice.value) + 1) % THEMES.length] ?? 'system'

function ofSystem(): ThemeChoice {
  const shade = dark.matches ? 'dark' : 'light'
  return contrast.matches ? `contrast-${shade}` : shade
}

function readChoice(): ThemeChoice {
  const stored = localStorage.getItem(STORED)
  return THEMES.find((theme) => theme === stored) ?? 'system'
}
