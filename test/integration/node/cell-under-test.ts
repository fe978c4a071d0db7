import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { newId } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import { allPorts, nodePorts } from '#libs/domain/nodes'
import { createCertificateAuthority, issueCertificate, jwks, newSigningKey, type SigningKey } from '#libs/pki'
import { createCellDatabases, dropCellDatabases } from '../../../apps/provisioner/cells/databases.ts'
import { type NodeInput, renderNode } from '../../../apps/provisioner/cells/render-node.ts'
import { anyCellName } from '../../../apps/provisioner/cells/temporal-config.ts'
import { LocalDriver } from '../../../apps/provisioner/drivers/local/driver.ts'
import { postgresAdminUrl } from '../../harness/postgres.ts'
import { toolchain } from '../../harness/toolchain.ts'

/** One cell of one node on the local driver, with everything real. */
export interface CellUnderTest {
  readonly cellId: string
  readonly nodeId: string
  readonly nodesDir: string
  readonly dir: string
  readonly driver: LocalDriver
  readonly input: NodeInput
  readonly signingKey: SigningKey
  /** PEM: the cell's CA, and the node's certificate and key. */
  readonly internode: NodeInput['internode']
  /** `host:port` of the frontend and of internal-frontend. */
  readonly frontend: string
  readonly internalFrontend: string
  manifest(generation: number, change?: Partial<NodeInput>): NodeManifest
  /** Ends the node and drops its databases. */
  dispose(): Promise<void>
}

export async function prepareCell(change: Partial<NodeInput> = {}): Promise<CellUnderTest> {
  const { temporalServer, temporalSqlTool } = toolchain()
  const cellId = newId('cell')
  const nodeId = newId('node')
  const adminUrl = postgresAdminUrl()
  const nodesDir = await mkdtemp(join(tmpdir(), 'node-'))
  const driver = new LocalDriver({
    nodesDir,
    agentMain: join(import.meta.dirname, '../../../apps/node/main.ts'),
    nodeBinary: process.execPath,
    ports: allPorts(nodePorts),
  })
  const database = await createCellDatabases(
    { adminUrl, sqlTool: temporalSqlTool, installation: 'test' },
    cellId,
    'it-is-only-a-test',
  )
  const signingKey = await newSigningKey()
  const internode = await internodeIdentity(cellId)
  const { address } = await driver.launch({
    nodeId,
    cellId,
    role: 'all',
    slotId: 'all-0',
    zone: 0,
    template: { serverVersion: '1.32.2' },
    userData: '',
  })
  if (address === undefined) throw new Error('the local driver gives addresses at once')
  const input: NodeInput = {
    nodeId,
    cellId,
    generation: 1,
    address,
    ports: nodePorts,
    role: 'all',
    size: 'dev',
    temporalServer,
    database,
    historyShards: 64,
    cluster: { name: cellId, failoverVersion: 1 },
    jwks: jwks([signingKey.publicJwk]),
    internode,
    namespaceLimits: {},
    ...change,
  }
  return {
    cellId,
    nodeId,
    nodesDir,
    dir: join(nodesDir, nodeId),
    driver,
    input,
    signingKey,
    internode,
    frontend: `${address}:${nodePorts.frontend}`,
    internalFrontend: `${address}:${nodePorts.internalFrontend}`,
    manifest: (generation, more = {}) => renderNode({ ...input, generation, ...more }),
    dispose: async () => {
      await driver.delete(nodeId)
      await dropCellDatabases({ adminUrl, installation: 'test' }, cellId)
      await rm(nodesDir, { recursive: true, force: true })
    },
  }
}

/**
 * A cell's CA, and a certificate of it for one node.
 * @param root what signs the CAs of cells that are to replicate with each other
 */
export async function internodeIdentity(
  cellId: string,
  root?: Awaited<ReturnType<typeof createCertificateAuthority>>,
): Promise<NodeInput['internode']> {
  const issuer = root === undefined ? {} : { issuer: root }
  const ca = await createCertificateAuthority({ commonName: `Cell ${cellId}`, validityDays: 1, ...issuer })
  const serverName = `${cellId}.cells.aqueduct.internal`
  const { certificatePem, keyPem } = await issueCertificate({
    issuer: ca,
    subject: { commonName: serverName },
    usage: 'both',
    dnsNames: [serverName, anyCellName],
    validityDays: 1,
  })
  return {
    serverName,
    certificate: certificatePem + ca.certificatePem,
    key: keyPem,
    ca: ca.certificatePem,
    root: (root ?? ca).certificatePem,
    peers: [],
  }
}

/** A cell token, as the provisioner makes them. */
export async function cellToken(key: SigningKey, permissions: readonly string[], expiresIn = '5m'): Promise<string> {
  return new SignJWT({ permissions })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setSubject('test')
    .setExpirationTime(expiresIn)
    .sign(await importJWK(key.privateJwk, 'ES256'))
}
