import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** Development dependencies end up in the programs: one file loads faster than the eight of a package. */
const BUNDLED = ['commander', 'leven']

export default defineConfig({
  entry: ['src/index.ts', 'src/serve.ts', 'src/cli.ts'],
  format: ['esm'],
  target: 'node22',
  sourcemap: true,
  clean: true,
  // tsup leaves out dependencies by itself, but not optional ones.
  external: ['@ai-ticket/llama'],
  noExternal: BUNDLED,
  // `sqlite` alone would be another package.
  removeNodeProtocol: false,
  esbuildPlugins: [
    {
      // commander starts programs for commands that are files of their own, which we have none of.
      name: 'no-child-process',
      setup(build) {
        build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
          /[\\/]commander[\\/]/.test(importer) ? { path: 'child_process', namespace: 'empty' } : undefined,
        )
        build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {}' }))
      },
    },
  ],
  async onSuccess() {
    const licenses = BUNDLED.map((name) => `${name}\n\n${readFileSync(licenseOf(name), 'utf8').trim()}\n`)
    writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licenses.join('\n'))
  },
})

const licenseOf = (name: string): string => {
  const file = readdirSync(`node_modules/${name}`).find((one) => /^licen[cs]e/i.test(one))
  if (file === undefined) throw new Error(`${name} has no license file to go with it.`)
  return `node_modules/${name}/${file}`
}
