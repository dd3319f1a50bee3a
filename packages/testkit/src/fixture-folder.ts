/** Where the recorded exchanges lie: one folder above `src` as well as `dist`, so this file stays at the top of both. */
export const fixtureFolder = (version: string): URL =>
  new URL(`../fixtures/koboldcpp-${version}/`, import.meta.url)
