/** What the builds of all packages share. */
export const SHARED = { format: ['esm' as const], target: 'node22', sourcemap: true, clean: true }
