import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const ASSETS = join(import.meta.dirname, 'dist/app/assets')
const COMPRESSED = new Set(['.js', '.css', '.svg'])
/** Below this, the headers of an answer are most of it. */
const SMALLEST = 512

/** Compresses once, as hard as it goes, so that the server never does. */
const compressed: Plugin = {
  name: 'compressed-files',
  closeBundle() {
    for (const name of readdirSync(ASSETS)) {
      const bytes = readFileSync(join(ASSETS, name))
      if (!COMPRESSED.has(extname(name)) || bytes.length < SMALLEST) continue
      const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
      writeFileSync(join(ASSETS, `${name}.br`), brotliCompressSync(bytes, quality))
      writeFileSync(join(ASSETS, `${name}.gz`), gzipSync(bytes, { level: 9 }))
    }
  },
}

/** The licenses of what ends up in the files, which all want to go with them. */
const licenses: Plugin = {
  name: 'third-party-licenses',
  closeBundle() {
    const texts = BUNDLED.map((name) => `${name}\n\n${licenseOf(name)}\n`)
    writeFileSync(join(import.meta.dirname, 'dist/THIRD-PARTY-LICENSES.txt'), texts.join('\n'))
  },
}

const BUNDLED = [
  ...['preact', '@preact/signals', 'preact-iso', 'eventsource-parser', 'tinykeys'],
  ...['match-sorter', 'diff', 'uplot'],
]

function licenseOf(name: string): string {
  const folder = join(import.meta.dirname, 'node_modules', name)
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
  if (file === undefined) throw new Error(`${name} has no license file to go with it.`)
  return readFileSync(join(folder, file), 'utf8').trim()
}

export default defineConfig({
  root: join(import.meta.dirname, 'src/app'),
  // Chunks find each other by their own address, so the app runs below any path.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [compressed, licenses],
  build: {
    outDir: join(import.meta.dirname, 'dist/app'),
    emptyOutDir: true,
    target: 'es2023',
    // The policy allows no `data:` addresses.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // Some packages have dots in the names of their files.
        chunkFileNames: ({ name }) => `assets/${name.replace(/\W+/g, '-')}-[hash].js`,
        // What the first screen needs is one file, and not one for each set of screens that share something.
        codeSplitting: {
          groups: [
            { name: 'first', tags: ['$initial'] },
            // Nearly every screen shows these: one file of them is smaller than one for each set of screens.
            {
              name: 'first',
              test: /src\/app\/(api\/|parts\/(action|caller|format|hidden|panel|parts|scrolling|status|ticket-views|when|use-))/,
            },
          ],
        },
      },
    },
  },
})
