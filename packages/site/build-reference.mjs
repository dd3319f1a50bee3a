// The reference of the published packages, as Markdown, from their comments. Runs TypeDoc, which needs a TypeScript older
// than the one of the workspace: 7 has no compiler API.
import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { Application, Converter, LogLevel, ReflectionKind } from 'typedoc'

const ROOT = resolve(import.meta.dirname, '../..')

/** What can be imported, by its name: `@ai-ticket/core/schemas` to the file behind it. */
function entries() {
  const manifests = globSync('packages/*/package.json', { cwd: ROOT }).toSorted()
  return manifests.flatMap((path) => {
    const { name, private: isPrivate, exports = {} } = JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
    if (isPrivate) return []
    return Object.entries(exports).flatMap(([subpath, target]) => {
      const source = target['@ai-ticket/source']
      return source === undefined
        ? []
        : [{ name: subpath.replace('.', name), file: join(ROOT, path, '..', source) }]
    })
  })
}

/** Writes the pages into a folder. Gives back how many warnings and errors there were; they are on stderr. */
export async function buildReference(folder, { repository, revision }) {
  const found = entries()
  const nameOf = new Map(found.map(({ name, file }) => [relative(ROOT, file), name]))
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown', 'typedoc-vitepress-theme'],
    entryPoints: found.map(({ file }) => file),
    tsconfig: join(import.meta.dirname, 'tsconfig.json'),
    out: folder,
    docsRoot: join(folder, '..'),
    name: 'Reference',
    readme: 'none',
    logLevel: LogLevel.Warn,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    disableGit: true,
    sourceLinkTemplate: `${repository}/blob/${revision}/{path}#L{line}`,
    basePath: ROOT,
    displayBasePath: ROOT,
    validation: {
      notExported: true,
      invalidLink: true,
      invalidPath: true,
      rewrittenLink: true,
      notDocumented: false,
    },
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: false,
    useCodeBlocks: true,
    expandObjects: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
  })
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    const path = reflection.sources?.[0]?.fullFileName
    const name = path && nameOf.get(relative(ROOT, path))
    if (name) reflection.name = name
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('TypeDoc could not read the sources: see above.')
  app.validate(project)
  for (const name of undocumented(project)) app.logger.warn(`${name} is exported and has no comment.`)
  await app.generateOutputs(project)
  return app.logger.warningCount + app.logger.errorCount
}

/**
 * Exports without a comment: an editor shows the name of one, and not a word. TypeDoc's own check also wants a comment for each
 * field of an inferred type.
 */
function undocumented(project) {
  const modules = project.getReflectionsByKind(ReflectionKind.Module)
  return modules
    .flatMap(({ children = [] }) => children)
    .filter((one) => !one.kindOf(ReflectionKind.Reference) && !one.hasComment())
    .filter(({ signatures = [] }) => !signatures.some((signature) => signature.hasComment()))
    .map((one) => one.getFriendlyFullName())
}
