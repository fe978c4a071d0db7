import { writeSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node'

/**
 * Prints `N passed, N failed` (and `, N skipped` if any) over all tiers, alone on the very last line, where a person or
 * a script looks first. What failed outside of a test (a file that does not load, an error nobody caught, an aborted
 * run) counts as a failure, too.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const before = counts.failed
      for (const test of module.children.allTests()) counts[test.result().state] += 1
      if (module.state() === 'failed' && counts.failed === before) counts.failed += 1
    }
    counts.failed += counts.pending
    if (counts.failed === 0 && reason !== 'passed') counts.failed = 1
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
    const line = `${counts.passed} passed, ${counts.failed} failed${skipped}\n`
    // At exit, and written at once: after the other reporters and after everything is torn down.
    process.once('exit', () => writeSync(1, line))
  }
}
