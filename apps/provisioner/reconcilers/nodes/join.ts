import { systemActor } from '#libs/authz'
import { type Clock, newId } from '#libs/base'
import { openAuthority } from '#libs/keyring'
import { issueFromCsr } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { recordCertificate } from '#libs/store/certificates'
import { findNodeJoin, openNodeJoin, recordExpectedMachine, recordNodeChain } from '#libs/store/node-mail'
import { nodeProfile } from '../certificates/node-certificate.ts'
import { renderUserData } from './user-data.ts'

export interface JoinDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
}

/** Of a node's row. */
interface JoiningNode {
  readonly id: string
  readonly cell_id: string
}

/** Where a region's machines find us, as they reach us: its `options`. */
export interface JoinPlaces {
  readonly joinUrls: readonly string[]
  readonly discoveryUrl: string
}

/** Who a node is that has joined. Its key is on the node alone. */
export interface JoinedNode {
  readonly leafPem: string
  /** The leaf and the cell's CA. */
  readonly chainPem: string
  readonly cellCaPem: string
}

const end = '-----END CERTIFICATE-----\n'
const system = systemActor('node-join')

/** From when the driver saw the machine; also, for a launch that has not come to anything, from its last attempt. */
export const joinMinutes = 15

/**
 * Before a launch: lets one machine join as the node, and returns what to start it with. Safe to repeat, and always the same
 * text for the same node.
 */
export async function openJoin(deps: JoinDeps, node: JoiningNode, places: JoinPlaces): Promise<string> {
  const { database, sealer } = deps
  const proof = system.authorize('node', 'update', { nodeId: node.id })
  await openNodeJoin(database.all, proof, { discoveryUrl: places.discoveryUrl, expiresAt: expiry(deps.clock) })
  const { certificatePem: caPem } = await openAuthority(database.all, sealer, { purpose: 'server' })
  return renderUserData(sealer, { nodeId: node.id, cellId: node.cell_id, joinUrls: places.joinUrls, caPem })
}

/**
 * After a launch, and at every look at a node that has not joined: what the driver saw is the only machine that may join.
 * @returns false when another machine has joined: this one will never be the node.
 */
export async function expectMachine(
  deps: JoinDeps,
  node: JoiningNode,
  machine: { readonly machineId: string; readonly address: string },
): Promise<boolean> {
  const proof = system.authorize('node', 'update', { nodeId: node.id })
  return recordExpectedMachine(deps.database.all, proof, { ...machine, expiresAt: expiry(deps.clock) })
}

/**
 * Signs what the node asked for, once. Of its request only the key is taken: the name, and what the certificate is for, are
 * ours. The node's reconciler is woken when a request has come.
 * @returns 'waiting' until there is one.
 * @throws AppError `invalid` when the key is not one that we sign
 */
export async function signJoin(deps: JoinDeps, node: JoiningNode): Promise<JoinedNode | 'waiting'> {
  const { database, sealer } = deps
  const proof = system.authorize('node', 'update', { nodeId: node.id })
  const join = await findNodeJoin(database.all, proof)
  if (join?.csr_pem == null) return 'waiting'
  const authority = await openAuthority(database.all, sealer, { purpose: 'cell', cellId: node.cell_id })
  const { certificatePem: cellCaPem } = authority
  if (join.chain_pem === null) {
    const issued = await issueFromCsr({
      ...nodeProfile(node.cell_id, node.id),
      issuer: authority,
      csrPem: join.csr_pem,
    })
    await database.all.transaction().execute(async (trx) => {
      // Of two that sign at once, one does.
      if (!(await recordNodeChain(trx, proof, issued.certificatePem + cellCaPem))) return
      await recordCertificate(trx, {
        id: newId('cert'),
        authorityId: authority.id,
        purpose: 'node',
        nodeId: node.id,
        commonName: node.id,
        issued,
        issuedBy: 'provisioner',
      })
    })
  }
  const chainPem = join.chain_pem ?? (await findNodeJoin(database.all, proof))?.chain_pem
  if (chainPem == null) return 'waiting'
  return { leafPem: chainPem.slice(0, chainPem.indexOf(end) + end.length), chainPem, cellCaPem }
}

function expiry(clock: Clock): Date {
  return new Date(clock.now().getTime() + joinMinutes * 60_000)
}
