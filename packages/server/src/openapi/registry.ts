import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Scope } from '../gate/api-key.ts'
import type { DescribedRoute, DescribeOperation, Operation } from './operation.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route says of itself in `GET /openapi.json`. False: nothing, on purpose. */
    openapi?: DescribeOperation | false
  }
  interface FastifyInstance {
    /** What is described of this server. */
    openapi: OpenApiRegistry
  }
}

/** The routes of a server, and what they say of themselves: `server.openapi`. */
export interface OpenApiRegistry {
  /**
   * Adds to what another plugin says of a route: `extend('POST /event', (operation) => ({ ...operation, … }))`. Where
   * there is no such route, nothing happens.
   */
  extend(route: string, extension: OperationExtension): void
  /** All routes, `METHOD /path`, as Fastify knows them. HEAD, which follows from GET, is left out. */
  readonly routes: ReadonlyMap<string, RegisteredRoute>
  /** Routes that describe themselves, with what others add to them. */
  describe(): Promise<DescribedRoute[]>
}

/** Gives back the operation with what a plugin adds. */
export type OperationExtension = (operation: Operation) => Operation | Promise<Operation>

/** A route as it was registered. */
export interface RegisteredRoute {
  /** False: left out of the document on purpose. Undefined: nobody has described it yet. */
  readonly describe: DescribeOperation | false | undefined
  /** Of the keys that may ask, without `admin`, which always may. */
  readonly scopes: readonly Scope[]
  /** No limit of requests counts it. */
  readonly isUnlimited: boolean
  /** The API that it belongs to, where it takes events. */
  readonly door: string | undefined
}

/** Collects what routes say of themselves. To be called before there are routes. */
export function installOpenApi(server: FastifyInstance): OpenApiRegistry {
  const routes = new Map<string, RegisteredRoute>()
  const extensions: { readonly route: string; readonly extension: OperationExtension }[] = []
  server.addHook('onRoute', ({ method, url, config }: RouteOptions) => {
    const { openapi: describe, scopes = [], isUnlimited = false, door } = config ?? {}
    for (const one of [method].flat()) {
      if (one !== 'HEAD') routes.set(`${one} ${url}`, { describe, scopes, isUnlimited, door })
    }
  })
  const extend = async (route: string, operation: Operation): Promise<Operation> => {
    let extended = operation
    for (const one of extensions) if (one.route === route) extended = await one.extension(extended)
    return extended
  }
  const registry: OpenApiRegistry = {
    routes,
    extend: (route, extension) => void extensions.push({ route, extension }),
    describe: () =>
      Promise.all(
        [...routes].flatMap(([route, { describe, ...rest }]) =>
          describe ? [describeRoute(route, describe, rest)] : [],
        ),
      ),
  }
  async function describeRoute(
    route: string,
    describe: DescribeOperation,
    rest: Omit<RegisteredRoute, 'describe'>,
  ): Promise<DescribedRoute> {
    return { ...rest, route, operation: await extend(route, await describe()) }
  }
  server.decorate('openapi', registry)
  return registry
}
