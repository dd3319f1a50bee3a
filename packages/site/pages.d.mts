export const ROOT: string
export const REPOSITORY: string
export const SITE: string
export const MENU: readonly { readonly text: string; readonly pages: readonly string[] }[]
export function titleOf(text: string): string
export function anchorOf(heading: string): string
