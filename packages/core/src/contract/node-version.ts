/** The oldest Node that AI Ticket runs on: undici 8 needs it. The same as `engines` in package.json. */
const LEAST_NODE = '22.19.0'

/**
 * What to tell somebody whose Node is too old; undefined: it is new enough. Imports nothing, so that a program can ask
 * before it loads anything that an old Node cannot run.
 */
export function nodeProblem(version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = LEAST_NODE.split('.').map(Number)
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined
  return `AI Ticket needs Node ${leastMajor}.${leastMinor} or newer; this is ${version}. Install a newer one from https://nodejs.org, or with a version manager: nvm install --lts`
}
