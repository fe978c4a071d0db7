import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toolchain } from '../harness/toolchain.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'
import { withWorker } from './sdk.ts'
import { createKey, createServiceAccount, issueCertificate, signUp, type Tenant } from './tenant.ts'

/** The data plane with the `temporal` command, as a tenant has it on a laptop. */
let tenant: Tenant
let namespace: Namespace
let folder: string
let certificate: { readonly certificate: string; readonly key: string }
let login: Readonly<Record<'certificate' | 'API key' | 'reader', readonly string[]>>

beforeAll(async () => {
  tenant = await signUp('Commandline')
  const issued = await issueCertificate(tenant, 'laptop')
  certificate = issued
  namespace = await createNamespace(tenant, { name: 'orders', ca: issued.ca })
  const reader = await createServiceAccount(tenant, 'auditor', { [namespace.id]: 'READ' })
  const { token } = await createKey(tenant, reader)
  folder = mkdtempSync(join(tmpdir(), 'aqueduct-cli-'))
  writeFileSync(join(folder, 'cert.pem'), issued.certificate)
  writeFileSync(join(folder, 'key.pem'), issued.key, { mode: 0o600 })
  login = {
    certificate: ['--tls-cert-path', join(folder, 'cert.pem'), '--tls-key-path', join(folder, 'key.pem')],
    'API key': ['--api-key', tenant.api.token],
    reader: ['--api-key', token],
  }
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Result {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

async function temporal(who: readonly string[], ...args: readonly string[]): Promise<Result> {
  const { addresses } = await productUnderTest()
  const address = ['--address', `${namespace.host}:${namespace.port}`, '--tls-server-name', namespace.hostname]
  const common = [...address, '--tls-ca-path', addresses.caFile, '--command-timeout', '20s', ...who]
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: folder }
    const options = { env, timeout: 30_000 }
    execFile(toolchain().temporalCli, [...args, ...common], options, (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })
}

const inNamespace = () => ['--namespace', namespace.id]

describe.each(['certificate', 'API key'] as const)('with the %s', (kind) => {
  test('starts, describes, lists and finishes a workflow', async () => {
    const workflowId = `order-${kind.replace(' ', '-')}`
    const run = (...args: readonly string[]) => temporal(login[kind], 'workflow', ...args, ...inNamespace())
    const id = ['--workflow-id', workflowId]
    const work = ['--type', 'patientGreeting', '--task-queue', workflowId, '--input', '"CLI"']
    expect(await run('start', ...id, ...work, '-o', 'json')).toMatchObject({ exitCode: 0, stderr: '' })
    const described = await run('describe', ...id, '-o', 'json')
    expect(JSON.parse(described.stdout)).toMatchObject({
      workflowExecutionInfo: { execution: { workflowId }, status: 'WORKFLOW_EXECUTION_STATUS_RUNNING' },
    })
    await expect
      .poll(async () => (await run('list', '--query', `WorkflowId = '${workflowId}'`)).stdout, { timeout: 15_000 })
      .toContain(workflowId)
    const identity = kind === 'certificate' ? certificate : undefined
    const token = kind === 'certificate' ? undefined : tenant.api.token
    const result = await withWorker(namespace, { identity, token }, workflowId, async () => {
      expect(await run('signal', ...id, '--name', 'goOn')).toMatchObject({ exitCode: 0 })
      return run('result', ...id)
    })
    expect(result.stdout).toContain('Hello, CLI!')
  })

  test('describes the namespace', async () => {
    const described = await temporal(login[kind], 'operator', 'namespace', 'describe', ...inNamespace(), '-o', 'json')
    expect(described).toMatchObject({ exitCode: 0, stderr: '' })
    expect(JSON.parse(described.stdout)).toMatchObject({
      namespaceInfo: { name: namespace.id, state: 'NAMESPACE_STATE_REGISTERED' },
    })
  })

  test.each([
    ['creating a namespace', ['namespace', 'create', '--namespace', 'mine']],
    ['updating it', ['namespace', 'update', '--retention', '90d']],
    ['deleting it', ['namespace', 'delete', '--yes']],
    ['listing namespaces', ['namespace', 'list']],
    ['adding search attributes', ['search-attribute', 'create', '--name', 'Mine', '--type', 'Keyword']],
    ['listing clusters', ['cluster', 'list']],
    ['making Nexus endpoints', ['nexus', 'endpoint', 'create', '--name', 'mine', '--target-url', 'http://localhost']],
  ])('does not allow %s', async (_what, args) => {
    const where = args.includes('--namespace') || args.includes('list') ? [] : inNamespace()
    const refused = await temporal(login[kind], 'operator', ...args, ...where)
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toMatch(/not available here|PermissionDenied|Request unauthorized/i)
  })
})

test('a reader lists, and does not start', async () => {
  expect(await temporal(login.reader, 'workflow', 'list', ...inNamespace())).toMatchObject({ exitCode: 0 })
  const work = ['--type', 'greeting', '--task-queue', 'readers', '--workflow-id', 'readers']
  const refused = await temporal(login.reader, 'workflow', 'start', ...work, ...inNamespace())
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/unauthorized|denied/i) })
})

test('nobody gets in with nothing', async () => {
  const refused = await temporal([], 'workflow', 'list', ...inNamespace())
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('gRPC request was unauthenticated'),
  })
})
