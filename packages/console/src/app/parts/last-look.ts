const STORED = 'ai-ticket-console-looked'

/** When Dead letters was last open in this browser, ISO 8601; empty: never. */
export const lastLook = (): string => localStorage.getItem(STORED) ?? ''

/** Somebody has seen what failed until then. */
export const rememberLook = (until: string): void => {
  if (until > lastLook()) localStorage.setItem(STORED, until)
}
