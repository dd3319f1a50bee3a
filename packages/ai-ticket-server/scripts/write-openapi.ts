import { writeFileSync } from 'node:fs'
import { openFullServer } from './openapi-document.ts'

await using full = await openFullServer()
const path = new URL('../openapi.json', import.meta.url)
writeFileSync(path, `${JSON.stringify(await full.document(), null, 2)}\n`)
