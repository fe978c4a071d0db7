import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Files whose calls are lost one after the other by their number, and need not be named: and where that is done. */
const counted: Readonly<Record<string, string>> = {
  'apps/provisioner/reconcilers/moves/': 'test/integration/provisioner/moves.test.ts',
  // Its one call is the same that `nexus-unregister` makes.
  'apps/provisioner/collectors/orphan-nexus-endpoints.ts': 'test/faults/nexus-endpoints.test.ts',
}

function read(pattern: string, unless: RegExp): readonly string[] {
  return globSync(pattern, { cwd: root })
    .filter((path) => !unless.test(path) && !Object.keys(counted).some((start) => path.startsWith(start)))
    .map((path) => readFileSync(join(root, path), 'utf8'))
}

/** Names of outward calls, as they stand in the code; of `collect-${kind}` the beginning. */
function steps(): readonly string[] {
  const names = read('apps/provisioner/**/*.ts', /[.]test[.]ts$/).flatMap((text) =>
    [...text.matchAll(/\boutward\(\s*['`]([a-z-]+)(?:\$\{[a-z]+\})?['`]/gi)].map(([, name = '']) => name),
  )
  return [...new Set(names)].toSorted()
}

test('every outward call of the provisioner is in a fault test, by its name', () => {
  const tests = read('test/faults/**/*.ts', /all-steps/).join('\n')
  expect(steps().length).toBeGreaterThan(20)
  expect(steps().filter((step) => !new RegExp(`['"\`]${step}`).test(tests))).toEqual([])
  expect(Object.values(counted).filter((path) => !existsSync(join(root, path)))).toEqual([])
})
