import { defineConfig } from 'vitest/config'

/** One project a tier, in the order in which `npm test` runs them. */
const tiers = [
  { name: 'unit', include: ['apps/**/*.test.ts', 'libs/**/*.test.ts', 'infra/**/*.test.ts'], seconds: 10, parallel: 2 },
  { name: 'policy', include: ['test/policy/**/*.test.ts'], seconds: 30, parallel: 2 },
  { name: 'integration', include: ['test/integration/**/*.test.ts'], seconds: 30, parallel: 2 },
  { name: 'boot', include: ['test/boot/**/*.test.ts'], seconds: 120, parallel: 1 },
  { name: 'faults', include: ['test/faults/**/*.test.ts'], seconds: 180, parallel: 1 },
  { name: 'acceptance', include: ['test/acceptance/**/*.test.ts'], seconds: 300, parallel: 1 },
] as const

export default defineConfig({
  test: {
    globalSetup: ['test/harness/global-setup.ts'],
    reporters: ['default', './test/harness/summary-reporter.ts'],
    projects: tiers.map(({ name, include, seconds, parallel }, index) => ({
      test: {
        name,
        include: [...include],
        pool: 'forks' as const,
        maxWorkers: parallel,
        // A later group starts when the one before has ended: heavy tiers do not disturb each other's clocks.
        sequence: { groupOrder: index },
        testTimeout: seconds * 1000,
        hookTimeout: seconds * 1000,
        ...(name === 'acceptance' && { globalSetup: ['test/harness/shared-product.ts'] }),
      },
    })),
  },
})
