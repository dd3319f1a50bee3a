#!/usr/bin/env node
// The program is a file of ai-ticket-server, which offers it to nobody else.
await import(new URL('dist/cli.js', import.meta.resolve('ai-ticket-server/package.json')).href)
