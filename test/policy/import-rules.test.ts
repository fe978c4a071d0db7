import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** For each rule of `.dependency-cruiser.cjs`, imports that it has to catch: the file, and what the file imports. */
const breaches: Readonly<Record<string, readonly (readonly [file: string, imported: string])[]>> = {
  'libs-base': [['libs/base/a.ts', '#libs/config']],
  'libs-config': [['libs/config/a.ts', '#libs/telemetry']],
  'libs-telemetry': [['libs/telemetry/a.ts', '#libs/domain/nodes']],
  'libs-processes': [['libs/processes/a.ts', '#libs/config']],
  'libs-cloud-api': [['libs/cloud-api/a.ts', '#libs/domain/nodes']],
  'libs-domain': [['libs/domain/nodes/a.ts', '#libs/pki']],
  'libs-pki': [['libs/pki/a.ts', '#libs/sealing']],
  'libs-sealing': [['libs/sealing/a.ts', '#libs/pki']],
  'libs-authz': [['libs/authz/a.ts', '#libs/store']],
  'libs-store': [['libs/store/a.ts', '#libs/jobs']],
  'libs-jobs': [['libs/jobs/a.ts', '#libs/keyring']],
  'libs-keyring': [['libs/keyring/a.ts', '#libs/jobs']],
  // May import every library that there is; a new one has to be allowed.
  'apps-api-libs': [['apps/api/a.ts', '#libs/novel']],
  'apps-provisioner-libs': [['apps/provisioner/a.ts', '#libs/cloud-api']],
  'apps-edge-libs': [['apps/edge/a.ts', '#libs/jobs']],
  'apps-node-libs': [['apps/node/a.ts', '#libs/store']],
  'apps-aqueduct-libs': [['apps/aqueduct/a.ts', '#libs/jobs']],
  'apps-console-libs': [['apps/console/a.ts', '#libs/base']],
  'nobody-imports-infra': [['apps/api/i.ts', '../../infra/app.ts']],
  'infra-alone': [
    ['infra/a.ts', '#libs/store'],
    ['infra/b.ts', '../apps/api/main.ts'],
  ],
  'machines-alone': [
    ['infra/instance/a.ts', '../app.ts'],
    ['infra/instance/b.ts', '#libs/config'],
  ],
  'libs-not-to-apps': [['libs/base/b.ts', '../../apps/api/main.ts']],
  'apps-apart': [['apps/api/b.ts', '../provisioner/main.ts']],
  'lib-by-its-door': [['apps/api/c.ts', '../../libs/base/errors.ts']],
  'lib-by-its-door-from-libs': [
    ['libs/store/c.ts', '../base/errors.ts'],
    ['libs/domain/nodes/c.ts', '../edges/intent.ts'],
  ],
  'api-reaches-no-cell': [
    ['apps/api/d.ts', 'node:child_process'],
    ['apps/api/e.ts', '@temporalio/client'],
  ],
  'provisioner-serves-nobody': [['apps/provisioner/d.ts', 'fastify']],
  'drivers-behind-contract': [['apps/provisioner/reconcilers/e.ts', '../drivers/local/driver.ts']],
  'drivers-apart': [['apps/provisioner/drivers/fake/driver.ts', '../local/driver.ts']],
  'cloud-api-at-the-edge': [['apps/api/resources/namespaces/handlers.ts', '#libs/cloud-api']],
  'sql-in-its-place': [
    ['apps/api/f.ts', 'pg'],
    ['libs/authz/f.ts', 'kysely'],
  ],
  'tests-for-tests': [['apps/api/g.ts', '../../test/harness/postgres.ts']],
  'acceptance-is-black-box': [['test/acceptance/a.test.ts', '#libs/base']],
  'no-dev-dependency-in-product': [['libs/base/h.ts', 'vitest']],
  'no-cycles': [['libs/base/one.ts', './two.ts']],
  resolvable: [['libs/base/i.ts', './nowhere.ts']],
}

/** Imports that are as they should be, so that a rule that forbids everything is noticed, too. */
const fine = [
  ['apps/api/transport/a.ts', '#libs/cloud-api'],
  ['apps/api/resources/namespaces/wire.ts', '#libs/cloud-api'],
  ['apps/node/fine.ts', '#libs/domain/nodes'],
  ['apps/provisioner/main.ts', './drivers/local/driver.ts'],
  ['apps/provisioner/drivers/local/driver.ts', '../contract.ts'],
  ['apps/provisioner/cells/databases.ts', 'pg'],
  ['apps/api/fine.test.ts', '../../test/harness/postgres.ts'],
  ['libs/domain/edges/fine.ts', '#libs/domain/nodes'],
  ['libs/store/fine.ts', 'kysely'],
  ['apps/provisioner/collectors/fine.ts', '#libs/store/cells'],
  ['infra/fine.ts', '#libs/domain/nodes'],
  ['infra/network/fine.ts', '../instance/part.ts'],
  ['libs/base/two.ts', './one.ts'],
  ['test/integration/fine.test.ts', '../../apps/api/main.ts'],
] as const

/** Files that are imported above and import nothing. */
const empty = [
  ...[
    'authz',
    'base',
    'cloud-api',
    'config',
    'jobs',
    'keyring',
    'novel',
    'pki',
    'processes',
    'sealing',
    'store',
    'telemetry',
  ].map((library) => `libs/${library}/index.ts`),
  'libs/domain/nodes/index.ts',
  'libs/domain/edges/index.ts',
  'libs/domain/edges/intent.ts',
  'libs/base/errors.ts',
  'libs/store/cells/index.ts',
  'apps/api/main.ts',
  'infra/app.ts',
  'infra/instance/part.ts',
  'apps/provisioner/drivers/contract.ts',
  'test/harness/postgres.ts',
]

interface Violation {
  readonly from: string
  readonly rule: { readonly name: string }
}

const root = resolve(import.meta.dirname, '../..')
let folder: string
let violations: readonly Violation[]

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-imports-')))
  for (const file of ['package.json', '.dependency-cruiser.cjs']) cpSync(join(root, file), join(folder, file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const write = (file: string, content: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), content)
  }
  for (const file of empty) write(file, 'export const nothing = 0\n')
  for (const [file, imported] of [...Object.values(breaches).flat(), ...fine]) {
    write(file, `import * as it from '${imported}'\nconsole.log(it)\n`)
  }
  write('libs/base/types-count.ts', "import type { Thing } from '#libs/config'\nexport type Other = Thing\n")
  write('libs/base/laziness-counts.ts', "export const lazy = () => import('#libs/config')\n")
  const args = [
    '--config',
    '.dependency-cruiser.cjs',
    '--no-cache',
    '--output-type',
    'json',
    'apps',
    'libs',
    'infra',
    'test',
  ]
  const report = execFileSync(join(root, 'node_modules/.bin/depcruise'), args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  violations = (JSON.parse(report) as { summary: { violations: Violation[] } }).summary.violations
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the import rules', () => {
  it('are all tried here', () => {
    const config = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
      forbidden: { name: string }[]
    }
    expect(config.forbidden.map(({ name }) => name).toSorted()).toEqual(Object.keys(breaches).toSorted())
  })

  it.each(Object.entries(breaches))('%s bites', (rule, files) => {
    const caught = violations.filter((violation) => violation.rule.name === rule).map(({ from }) => from)
    for (const [file] of files) expect(caught).toContain(file)
  })

  it.each(['libs/base/types-count.ts', 'libs/base/laziness-counts.ts'])('see every kind of import: %s', (file) => {
    expect(violations.some((violation) => violation.from === file)).toBe(true)
  })

  it.each(fine)('%s may import %s', (file) => {
    expect(violations.filter((violation) => violation.from === file)).toEqual([])
  })
})
