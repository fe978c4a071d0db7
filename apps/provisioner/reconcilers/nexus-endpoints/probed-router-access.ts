import { setTimeout as sleep } from 'node:timers/promises'
import { systemActor } from '#libs/authz'
import { type NexusSecret, nexusProxyAuthorization } from '#libs/domain/edges'
import { hasNexusRouter, nodePorts } from '#libs/domain/nodes'
import { nexusSecret } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { listNodes, type NodeRow } from '#libs/store/nodes'
import { probeNexusRouter, type RouterLook } from '../../temporal/nexus-probe.ts'
import type { EdgeAnswer } from '../namespaces/edge-access.ts'
import type { RouterAccess } from './router-access.ts'

const system = systemActor('nexus-probe')
/** Milliseconds that one step waits for the routers: they usually follow within a tenth of that. */
const patienceMs = 3_000
const pauseMs = 50
/** In a row: each of Envoy's threads takes up routes by itself, some milliseconds after another. */
const looks = 2

/** Asks the routers themselves: "it acts" is seen, never guessed. */
export class ProbedRouterAccess implements RouterAccess {
  readonly #deps: { readonly database: Database; readonly sealer: Sealer }

  constructor(deps: { readonly database: Database; readonly sealer: Sealer }) {
    this.#deps = deps
  }

  async awaitServing(
    cellId: string,
    endpointId: string,
    generation: number,
  ): Promise<EdgeAnswer<{ readonly kind: 'serving'; readonly generation: number }>> {
    const detail = await this.#everyRouter(cellId, endpointId, (look) => {
      if (look.kind === 'serving' && look.generation >= generation) return undefined
      return look.kind === 'serving' ? `it has generation ${look.generation} still` : wordsOf(look)
    })
    return detail === undefined ? { kind: 'serving', generation } : { kind: 'not_yet', detail }
  }

  async awaitAbsence(cellId: string, endpointId: string): Promise<EdgeAnswer<{ readonly kind: 'absent' }>> {
    const detail = await this.#everyRouter(cellId, endpointId, (look) =>
      look.kind === 'absent' ? undefined : wordsOf(look),
    )
    return detail === undefined ? { kind: 'absent' } : { kind: 'not_yet', detail }
  }

  /** @returns what is not as it should be; undefined when all routers are. */
  async #everyRouter(
    cellId: string,
    endpointId: string,
    judge: (look: RouterLook) => string | undefined,
  ): Promise<string | undefined> {
    const nodes = await listNodes(this.#deps.database.all, system.authorize('node', 'list', { fleet: true }), cellId)
    const addresses = nodes.filter(isRouting).flatMap(({ address }) => (address === null ? [] : [address]))
    if (addresses.length === 0) return 'the cell has no Nexus router'
    const deadline = performance.now() + patienceMs
    const secret: NexusSecret = nexusSecret(this.#deps.sealer, cellId)
    const details = await Promise.all(
      addresses.map(async (address) => {
        const target = {
          address,
          port: nodePorts.nexus,
          endpointId,
          proxyAuthorization: nexusProxyAuthorization(secret),
        }
        for (let seen = 0; ; ) {
          const detail = judge(await probeNexusRouter(target))
          seen = detail === undefined ? seen + 1 : 0
          if (seen === looks || performance.now() + pauseMs > deadline) return detail
          await sleep(pauseMs)
        }
      }),
    )
    return details.find((detail) => detail !== undefined)
  }
}

/** As it is with edges: see probed-edge-access.ts. */
function isRouting({ role, state, first_ready_at: readyAt }: NodeRow): boolean {
  return (
    hasNexusRouter(role) && (state === 'ready' || state === 'draining' || (state === 'creating' && readyAt !== null))
  )
}

function wordsOf(look: RouterLook): string {
  switch (look.kind) {
    case 'absent':
      return 'it does not have it yet'
    case 'serving':
      return 'it has it still'
    case 'silent':
      return look.detail
  }
}
