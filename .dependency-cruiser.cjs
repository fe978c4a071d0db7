/**
 * Who may import whom. The order of the libraries:
 *   base <- { config, telemetry, processes, cloud-api, domain, pki, sealing } <- authz <- store <- { jobs, keyring } <- apps
 * To allow something new, change a row of one of the two tables; test/policy/import-rules.test.ts breaks each rule
 * once and wants it to be noticed.
 */
const leaves = ['config', 'telemetry', 'processes', 'cloud-api', 'domain', 'pki', 'sealing']

const libraries = {
  base: [],
  ...Object.fromEntries(leaves.map((leaf) => [leaf, ['base']])),
  authz: ['base', ...leaves],
  store: ['base', ...leaves, 'authz'],
  jobs: ['base', ...leaves, 'authz', 'store'],
  keyring: ['base', ...leaves, 'authz', 'store'],
}

const apps = {
  api: ['base', ...leaves, 'authz', 'store', 'jobs', 'keyring'],
  provisioner: [
    'base',
    'config',
    'telemetry',
    'processes',
    'domain',
    'pki',
    'sealing',
    'authz',
    'store',
    'jobs',
    'keyring',
  ],
  edge: ['base', 'config', 'telemetry', 'processes', 'domain', 'pki', 'sealing', 'authz', 'store', 'keyring'],
  node: ['base', 'config', 'telemetry', 'processes', 'domain', 'pki'],
  aqueduct: ['base', 'config', 'telemetry', 'processes', 'pki', 'sealing', 'authz', 'store', 'keyring'],
  // A page that talks to the public API, as anybody could.
  console: [],
}

const test = '[.]test[.]ts$'

function forbid(name, from, to, comment) {
  return { name, severity: 'error', comment, from, to }
}

module.exports = {
  forbidden: [
    ...Object.entries(libraries).map(([library, allowed]) =>
      forbid(
        `libs-${library}`,
        { path: `^libs/${library}/` },
        { path: '^libs/', pathNot: `^libs/(${[library, ...allowed].join('|')})/` },
        `libs/${library} may import: ${allowed.join(', ') || 'nothing of ours'}`,
      ),
    ),
    ...Object.entries(apps).map(([app, allowed]) =>
      forbid(
        `apps-${app}-libs`,
        { path: `^apps/${app}/`, pathNot: test },
        { path: '^libs/', ...(allowed.length > 0 && { pathNot: `^libs/(${allowed.join('|')})/` }) },
        `apps/${app} may import: ${allowed.join(', ') || 'nothing of ours'}`,
      ),
    ),
    forbid('libs-not-to-apps', { path: '^libs/' }, { path: '^(apps|infra)/' }, 'A library does not know who uses it.'),
    forbid(
      'nobody-imports-infra',
      { path: '^apps/' },
      { path: '^infra/' },
      'The product does not know what it was deployed with.',
    ),
    forbid(
      'infra-alone',
      { path: '^infra/', pathNot: test },
      { path: '^(apps|libs)/', pathNot: '^libs/(config|domain/nodes)/' },
      'infra may import libs/config and libs/domain/nodes: what is to be deployed, and the ports of nodes.',
    ),
    forbid(
      'machines-alone',
      { path: '^infra/instance/', pathNot: test },
      { path: '^(apps|libs|infra)/', pathNot: '^infra/instance/' },
      'Of infra/, this alone is on the machines.',
    ),
    forbid(
      'apps-apart',
      { path: '^apps/([^/]+)/', pathNot: test },
      { path: '^apps/', pathNot: '^apps/$1/' },
      'Apps are processes of their own; what two of them need is a library.',
    ),
    forbid(
      'lib-by-its-door',
      { path: '^(apps|test|infra)/' },
      { path: '^libs/', pathNot: '^libs/([^/]+|(domain|store)/[^/]+)/index[.]ts$' },
      'A library is entered by #libs/<name> (domain, store: #libs/<name>/<noun>) alone.',
    ),
    forbid(
      'lib-by-its-door-from-libs',
      { path: '^libs/(domain/[^/]+|[^/]+)/' },
      { path: '^libs/', pathNot: ['^libs/$1/', '^libs/([^/]+|(domain|store)/[^/]+)/index[.]ts$'] },
      'A library is entered by #libs/<name> (domain, store: #libs/<name>/<noun>) alone.',
    ),
    forbid(
      'api-reaches-no-cell',
      { path: '^apps/api/', pathNot: test },
      { path: ['^(node:)?child_process$', 'node_modules/@aws-sdk/', 'node_modules/@temporalio/client/'] },
      'The API writes what is wanted; the provisioner acts on it.',
    ),
    forbid(
      'provisioner-serves-nobody',
      { path: '^apps/provisioner/', pathNot: test },
      { path: 'node_modules/(@fastify/[^/]+|fastify|fastify-plugin)/' },
      'Requests are for apps/api.',
    ),
    forbid(
      'drivers-behind-contract',
      { path: '^apps/provisioner/', pathNot: ['^apps/provisioner/(main[.]ts$|drivers/)', test] },
      { path: '^apps/provisioner/drivers/', pathNot: '^apps/provisioner/drivers/contract[.]ts$' },
      'Reconcilers see the contract; main.ts alone chooses a driver.',
    ),
    forbid(
      'drivers-apart',
      { path: '^apps/provisioner/drivers/([^/]+)/' },
      {
        path: '^apps/provisioner/',
        pathNot: ['^apps/provisioner/drivers/$1/', '^apps/provisioner/drivers/[^/]+[.]ts$'],
      },
      'A driver knows the contract and itself.',
    ),
    forbid(
      'cloud-api-at-the-edge',
      { path: '^apps/', pathNot: ['^apps/api/(transport|openapi)/', '^apps/api/resources/[^/]+/wire[.]ts$', test] },
      { path: '^libs/cloud-api/' },
      'Types of the published contract end where requests come in.',
    ),
    forbid(
      'sql-in-its-place',
      {
        path: '^(apps|libs)/',
        pathNot: [
          '^libs/(store|jobs)/',
          '^apps/provisioner/cells/(databases|database-marks|visibility-columns)[.]ts$',
          // Hands the pool to the queue.
          '^apps/provisioner/worker[.]ts$',
          '^apps/aqueduct/postgres/',
          test,
        ],
      },
      { path: 'node_modules/(@types/)?(pg|kysely)/' },
      'All SQL of the product stands in libs/store and libs/jobs; cells have databases of their own.',
    ),
    forbid(
      'tests-for-tests',
      { path: '^(apps|libs|infra)/', pathNot: test },
      { path: ['^test/', test] },
      'The product runs without its tests.',
    ),
    forbid(
      'acceptance-is-black-box',
      { path: '^test/acceptance/' },
      { path: '^(apps|libs)/', pathNot: '^apps/aqueduct/toolchain/' },
      'Acceptance tests know what a customer knows.',
    ),
    forbid(
      'no-dev-dependency-in-product',
      { path: '^(apps|libs|infra/instance)/', pathNot: test },
      { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
      'It would be missing after `npm ci --omit=dev`.',
    ),
    forbid('no-cycles', {}, { circular: true }, 'Of two files that need each other, one holds two concepts.'),
    forbid('resolvable', {}, { couldNotResolve: true }, 'There is no such module.'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^infra/cdk[.]out/' },
    // TypeScript 7 has no API for tools to parse with.
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
    cache: { folder: 'node_modules/.cache/dependency-cruiser', strategy: 'content' },
  },
}
