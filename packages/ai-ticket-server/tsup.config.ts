import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

/** Development dependencies end up in the programs: one file loads faster than the eight of a package. */
const BUNDLED = ['commander', 'leven']

/** What commander gets in the place of modules of Node. */
const STANDS_FOR: Readonly<Record<string, string>> = {
  // It starts programs for commands that are files of their own, which we have none of.
  'node:child_process': 'export default {}',
  // To import `process` makes all that Node leaves until it is asked for, such as reports: 1 MB at rest.
  'node:process': 'export default globalThis.process',
}

export default defineConfig({
  ...SHARED,
  entry: ['src/index.ts', 'src/serve.ts', 'src/cli.ts'],
  // tsup leaves out dependencies by itself, but not optional ones.
  external: ['@ai-ticket/console', '@ai-ticket/llama'],
  noExternal: BUNDLED,
  // `sqlite` alone would be another package.
  removeNodeProtocol: false,
  esbuildPlugins: [
    {
      name: 'less-of-node-for-commander',
      setup(build) {
        for (const module of Object.keys(STANDS_FOR)) {
          build.onResolve({ filter: new RegExp(`^${module}$`) }, ({ importer }) =>
            /[\\/]commander[\\/]/.test(importer) ? { path: module, namespace: 'stands-for' } : undefined,
          )
        }
        build.onLoad({ filter: /.*/, namespace: 'stands-for' }, ({ path }) => ({
          contents: STANDS_FOR[path] ?? '',
        }))
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
