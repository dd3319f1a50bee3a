import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
// For the fields of a route's `config` that the server's gate reads.
import type {} from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { SECURITY_HEADERS } from './headers.ts'
import { createIndexPages, DEEPEST, depthOf, isKnown } from './index-page.ts'
import { encodedFor, readStaticFiles, type StaticFile } from './static-files.ts'
import { type ConsoleTokens, type OperatorTheme, readTheme } from './theme.ts'

/** How the console looks, and where its files are. */
export interface ConsoleOptions {
  /** Tells servers apart: shown beside the name and in the title of the tab. Default: none. */
  readonly label?: string
  /** Folder with `theme.css`, `logo.svg` and `name.txt`, each optional; read once. Default: none. */
  readonly theme?: string
  /** Colours by name, over those of every theme. Default: none. */
  readonly tokens?: ConsoleTokens
  /** The build of the app. Default: the one in this package. */
  readonly folder?: string
}

/** From `dist/index.js` and from `src/plugin/` alike. */
const BUILT = [new URL('./app/', import.meta.url), new URL('../../dist/app/', import.meta.url)]

const BASE = '/console/'
/** Its files need no key: they hold nothing of anybody's. The check of the `Host` stays. */
const OPEN = { isKeyless: true, isUnlimited: true, openapi: false } as const

/**
 * The console at `/console/`, as a plugin for a server made by `createServer`:
 * `server.register(createConsole({ label: 'prod' }))`. Also `GET /` of a browser, which leads there; for everybody else `/`
 * stays what it was.
 *
 * Serves the shell, its scripts and the theme without a key; what it shows it asks the server's API for, with the key of
 * whoever looks. Reads all files at once. Throws an `Error` where the build is missing, a `TypeError` that names a bad
 * token, and the error of the file system where the theme cannot be read.
 */
export function createConsole(options: ConsoleOptions = {}): FastifyPluginCallback {
  const folder = options.folder ?? builtFolder()
  const files = readStaticFiles(join(folder, 'assets'))
  const theme = readTheme(options.theme, options.tokens)
  const pages = createIndexPages(readFileSync(join(folder, 'index.html'), 'utf8'), {
    name: theme.name,
    label: options.label ?? '',
    hasLogo: theme.logo !== undefined,
    hasTheme: theme.css !== '',
  })
  return (instance, _options, done) => {
    addEntrance(instance)
    instance.register((scope, _inner, added) => {
      scope.addHook('onRequest', (_request, reply, next) => {
        reply.headers(SECURITY_HEADERS)
        next()
      })
      addFileRoutes(scope, files)
      addThemeRoutes(scope, theme)
      addPageRoutes(scope, pages)
      added()
    })
    done()
  }
}

function builtFolder(): string {
  const found = BUILT.map((url) => fileURLToPath(url)).find((folder) => isBuilt(folder))
  if (found === undefined) throw new Error('The console is not built: run the build of @ai-ticket/console.')
  return found
}

function isBuilt(folder: string): boolean {
  try {
    return readFileSync(join(folder, 'index.html')).length > 0
  } catch {
    return false
  }
}

/** A browser at `/` is led to the console. Programs get what they got before, the missing key included. */
function addEntrance(instance: FastifyInstance): void {
  const config = { ...OPEN, isKeyless: isBrowser, scopes: ['events', 'read'] } as const
  instance.get('/', { config }, (request, reply) => {
    if (!isBrowser(request)) return reply.callNotFound()
    return reply.header('vary', 'accept').header('cache-control', 'no-store').redirect('./console/', 302)
  })
}

const isBrowser = ({ headers }: FastifyRequest): boolean => (headers.accept ?? '').includes('text/html')

/** Hashed by their content: a browser never has to ask for one again. */
function addFileRoutes(scope: FastifyInstance, files: ReadonlyMap<string, StaticFile>): void {
  scope.get<{ Params: { file: string } }>(`${BASE}assets/:file`, { config: OPEN }, (request, reply) => {
    const file = files.get(request.params.file)
    if (file === undefined) return reply.callNotFound()
    const { body, encoding } = encodedFor(file, request.headers['accept-encoding'])
    if (encoding !== undefined) reply.header('content-encoding', encoding)
    return reply
      .header('cache-control', 'public, max-age=31536000, immutable')
      .header('vary', 'accept-encoding')
      .type(file.type)
      .send(body)
  })
}

const REVALIDATED = 'no-cache'

function addThemeRoutes(scope: FastifyInstance, { css, logo }: OperatorTheme): void {
  scope.get(`${BASE}theme.css`, { config: OPEN }, (_request, reply) =>
    reply.header('cache-control', REVALIDATED).type('text/css; charset=utf-8').send(css),
  )
  scope.get(`${BASE}logo.svg`, { config: OPEN }, (_request, reply) =>
    logo === undefined
      ? reply.callNotFound()
      : reply.header('cache-control', REVALIDATED).type('image/svg+xml').send(logo),
  )
}

function addPageRoutes(scope: FastifyInstance, pages: ReturnType<typeof createIndexPages>): void {
  const show = (request: FastifyRequest, reply: FastifyReply) => {
    const url = request.raw.url ?? ''
    // Without its slash, the addresses of the page would be one level too high.
    if (/^[^?]*\/console(\?|$)/.test(url)) {
      return reply.redirect(`console/${url.includes('?') ? url.slice(url.indexOf('?')) : ''}`, 308)
    }
    const depth = depthOf(url, BASE)
    if (depth > DEEPEST) return reply.callNotFound()
    const { html, etag } = pages(depth)
    reply.headers({ etag, 'cache-control': REVALIDATED })
    if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send()
    return reply.type('text/html; charset=utf-8').send(html)
  }
  scope.get(BASE, { config: OPEN }, show)
  scope.get(`${BASE}*`, { config: OPEN }, show)
}
