import { systemActor } from '#libs/authz'
import { hasFrontend, nodePorts } from '#libs/domain/nodes'
import { openSigningKey, tokenSigner } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { listNodes, type NodeRow } from '#libs/store/nodes'
import { remembered } from '../remembered.ts'
import { type CellClient, CellError } from './cell-client.ts'
import { GrpcCellClient } from './grpc-cell-client.ts'

export interface CellClientsDeps {
  readonly database: Database
  readonly sealer: Sealer
}

const system = systemActor('cell-clients')
const tokenLifetimeMs = 5 * 60_000
const tokenRenewMs = tokenLifetimeMs / 2

interface Connected {
  readonly target: string
  readonly client: CellClient
}

/** The APIs of cells. */
export interface CellClientSource {
  /** @throws CellError `unavailable` while the cell has no node with an address. */
  of(cellId: string): Promise<CellClient>
  /** The same for whoever has read the cell's nodes already. */
  at(cellId: string, nodes: readonly Pick<NodeRow, 'state' | 'role' | 'address'>[]): CellClient
  /** Closes what is open to other cells than these: they are gone. */
  keepOnly(cellIds: ReadonlySet<string>): void
  close(): void
}

/**
 * One connection to each cell's API, with the administrator's token: to any of the frontends that serve, and when that one is
 * gone to another. Made anew when there are others.
 */
export class CellClients implements CellClientSource {
  readonly #deps: CellClientsDeps
  readonly #connected = new Map<string, Connected>()

  constructor(deps: CellClientsDeps) {
    this.#deps = deps
  }

  async of(cellId: string): Promise<CellClient> {
    const nodes = await listNodes(this.#deps.database.all, system.authorize('node', 'list', { fleet: true }), cellId)
    return this.at(cellId, nodes)
  }

  at(cellId: string, nodes: readonly Pick<NodeRow, 'state' | 'role' | 'address'>[]): CellClient {
    const target = targetOf(nodes)
    if (target === undefined) throw new CellError('unavailable', `the cell ${cellId} has no frontend yet`)
    const present = this.#connected.get(cellId)
    if (present?.target === target) return present.client
    present?.client.close()
    const client = new GrpcCellClient({ target, token: administratorToken(this.#deps, cellId) })
    this.#connected.set(cellId, { target, client })
    return client
  }

  keepOnly(cellIds: ReadonlySet<string>): void {
    for (const [cellId, { client }] of this.#connected) {
      if (cellIds.has(cellId)) continue
      client.close()
      this.#connected.delete(cellId)
    }
  }

  close(): void {
    for (const { client } of this.#connected.values()) client.close()
    this.#connected.clear()
  }
}

/** Every ready frontend, as gRPC names a list of addresses; if there is none, one that may be about to be. */
function targetOf(nodes: readonly Pick<NodeRow, 'state' | 'role' | 'address'>[]): string | undefined {
  const frontends = nodes.filter(({ role, address }) => hasFrontend(role) && address !== null)
  const ready = frontends.filter(({ state }) => state === 'ready')
  const chosen = ready.length > 0 ? ready : frontends.filter(({ state }) => state === 'creating').slice(0, 1)
  const addresses = chosen.map(({ address }) => `${address}:${nodePorts.frontend}`)
  return addresses.length === 0 ? undefined : `ipv4:${addresses.toSorted().join(',')}`
}

function administratorToken({ database, sealer }: CellClientsDeps, cellId: string): () => Promise<string> {
  const signer = remembered(async () =>
    tokenSigner(await openSigningKey(database.all, sealer, { purpose: 'cell', cellId })),
  )
  let current: { readonly token: string; readonly renewAt: number } | undefined
  return async () => {
    if (current !== undefined && Date.now() < current.renewAt) return current.token
    const sign = await signer()
    const token = await sign(
      { sub: 'provisioner', permissions: ['temporal-system:admin'] },
      { notAfter: new Date(Date.now() + tokenLifetimeMs) },
    )
    current = { token, renewAt: Date.now() + tokenRenewMs }
    return token
  }
}
