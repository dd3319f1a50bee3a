// Prints one line, `N passed, N failed, N skipped`, over JSON reports of vitest, and before it what failed: the names of
// the tests and the first lines of their errors, so that the end of a long log says what to look for.
// Arguments: for each run, its report and the exit code of what ran it.
// One failure each is counted for a file of tests that did not load, and for a run that failed though no test did: what
// came before the tests (build, lint, types), an error outside of any test, a report that is missing.
import { readFileSync } from 'node:fs'

const ERROR_LINES = 8

const totals = { passed: 0, failed: 0, skipped: 0 }
for (let index = 2; index < process.argv.length; index += 2) {
  const [path, exitCode] = process.argv.slice(index, index + 2)
  const report = readReport(path)
  const failed = report === undefined ? 0 : report.numFailedTests + unloadedFiles(report)
  const failedOtherwise = failed === 0 && (report === undefined || exitCode !== '0')
  if (failedOtherwise) process.stdout.write(`No test in ${path} failed, but its run did: see above.\n`)
  totals.failed += failedOtherwise ? 1 : failed
  if (report !== undefined) process.stdout.write(failures(report).join(''))
  totals.passed += report?.numPassedTests ?? 0
  totals.skipped += (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
}
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`)
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0

function readReport(path) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'))
    return Number.isInteger(report.numPassedTests) ? report : undefined
  } catch {
    return undefined
  }
}

/** Files that failed without a failed test: an import or a hook did. */
function unloadedFiles({ testResults }) {
  const hasFailedTest = ({ assertionResults }) => assertionResults.some(({ status }) => status === 'failed')
  return testResults.filter((file) => file.status === 'failed' && !hasFailedTest(file)).length
}

function failures({ testResults }) {
  return testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status === 'failed')
      if (tests.length === 0) return [`FAILED ${name}\n${firstLines(message)}`]
      return tests.map(
        (each) => `FAILED ${name} > ${each.fullName}\n${firstLines(each.failureMessages?.[0])}`,
      )
    })
}

function firstLines(message = '') {
  const lines = message.split('\n', ERROR_LINES)
  return lines.map((line) => `  ${line}\n`).join('')
}
