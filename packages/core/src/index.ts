import { type A, b } from './x/a.ts'
export const f = (a: A): A => ({ ...a, a: String(b) })
export type { A } from './x/a.ts'
