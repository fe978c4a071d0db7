import { type Answer, call } from './https-call.ts'
import { type JoinFixture, type JoiningNode, newRequest } from './join-fixture.ts'

export interface Attempt {
  readonly token?: string
  readonly machineId?: string
  readonly csr?: string
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Of another node than the one whose token is shown. */
  readonly nodeId?: string
  /** Instead of all of the above. */
  readonly body?: unknown
}

/** One attempt to join as the node, right in every respect that `attempt` does not change. */
export async function attemptToJoin(fixture: JoinFixture, node: JoiningNode, attempt: Attempt = {}): Promise<Answer> {
  const { token = node.token, machineId = node.machineId, from = node.address, headers = {} } = attempt
  const csr = attempt.csr ?? (await newRequest()).csr
  return await call(`${fixture.edge.joinUrl}/v1/nodes/${attempt.nodeId ?? node.id}/join`, {
    ca: fixture.caPem,
    from,
    headers,
    body: attempt.body ?? { token, machineId, csr },
  })
}

/** The whole way of a sound machine. @returns what it talks to the discovery server with. */
export async function joinBy(
  fixture: JoinFixture,
  node: JoiningNode,
): Promise<{ readonly certificate: string; readonly key: string; readonly csr: string }> {
  const { csr, keyPem } = await newRequest()
  const first = await attemptToJoin(fixture, node, { csr })
  if (first.status !== 202) throw new Error(`the join listener answered ${first.status}: ${first.text}`)
  await fixture.sign(node)
  const { status, text } = await attemptToJoin(fixture, node, { csr })
  if (status !== 200) throw new Error(`the join listener answered ${status}: ${text}`)
  const { certificateChainPem } = JSON.parse(text) as { certificateChainPem: string }
  return { certificate: certificateChainPem, key: keyPem, csr }
}
