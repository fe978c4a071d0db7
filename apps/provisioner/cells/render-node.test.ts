import { describe, expect, it } from 'vitest'
import type { NodeManifest, NodeRole } from '#libs/domain/nodes'
import { allPorts, nodePorts } from '#libs/domain/nodes'
import { checkManifest } from '../../node/manifest-file.ts'
import { type NodeInput, renderNode } from './render-node.ts'

const input: NodeInput = {
  nodeId: 'node-1',
  cellId: 'cell-1',
  generation: 3,
  address: '127.77.0.1',
  ports: nodePorts,
  role: 'all',
  size: 'dev',
  temporalServer: '/opt/temporal-server',
  database: {
    host: '127.0.0.1',
    port: 5432,
    user: 'cell_1',
    password: 'pw-1',
    name: 'cell_1',
    visibilityName: 'cell_1_visibility',
  },
  historyShards: 64,
  cluster: { name: 'cell-1', failoverVersion: 7 },
  jwks: '{"keys":[]}',
  internode: {
    serverName: 'cell-1.internal',
    certificate: 'CERT',
    key: 'INTERNODE-KEY',
    ca: 'CA',
    root: 'ROOT',
    peers: [],
  },
  namespaceLimits: {},
}
const edge = {
  url: 'https://127.0.0.1:7095',
  ca: 'CA',
  certificate: 'CERT',
  key: 'EDGE-KEY',
  envoy: '/opt/envoy',
  concurrency: 2,
  nexusSecret: 'NEXUS-KEY',
}
const content = (manifest: NodeManifest, path: string): unknown =>
  JSON.parse(manifest.files.find((file) => file.path === path)?.content ?? 'null')

describe('a node of each role', () => {
  const at = (role: NodeRole) => renderNode({ ...input, role, size: 'standard', edge })
  const services = (role: NodeRole) => {
    const args = at(role).processes.find(({ name }) => name === 'temporal')?.args ?? []
    return args.filter((_, index) => args[index - 1] === '--service')
  }

  it.each([
    ['history', ['history'], ['temporal', 'envoy'], [nodePorts.history, nodePorts.nexus]],
    ['matching', ['matching'], ['temporal'], [nodePorts.matching]],
    ['frontend', ['frontend', 'internal-frontend'], ['temporal'], [nodePorts.frontend]],
    ['worker', ['worker'], ['temporal'], [nodePorts.worker]],
    ['edge', [], ['envoy'], [nodePorts.edge]],
  ] as const)('%s runs its own services, and is ready when these are', (role, own, processes, ready) => {
    const manifest = at(role)
    expect(services(role)).toEqual(own)
    expect(manifest.processes.map(({ name }) => name)).toEqual(processes)
    expect(manifest.processes.map(({ readyPort }) => readyPort)).toEqual(ready)
    expect(checkManifest(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest)
  })

  it('knows the database where a server runs, and nowhere else', () => {
    const knows = (role: NodeRole) => at(role).files.some(({ content: text }) => text.includes('pw-1'))
    expect([knows('history'), knows('worker'), knows('edge')]).toEqual([true, true, false])
  })

  it('fetches what tenants are served with on edges alone, and sends the history service to its own router', () => {
    expect([at('edge').edge?.serves, at('history').edge?.serves]).toEqual([undefined, 'router'])
    expect(at('matching').edge).toBeUndefined()
    const proxied = (role: NodeRole) => at(role).processes[0]?.env.HTTP_PROXY !== undefined
    expect([proxied('history'), proxied('frontend'), proxied('worker')]).toEqual([true, false, false])
    const router = JSON.stringify(content(at('history'), 'edge/bootstrap.json'))
    // Over the frontends' HTTP API, wherever they are: there is none on its own node.
    expect(router).toContain('edge/eds-http.json')
    expect(JSON.stringify(content(at('edge'), 'edge/bootstrap.json'))).not.toContain('eds-http.json')
  })

  it('leaves the key to a node that made it itself', () => {
    const internode = { ...input.internode, key: undefined }
    const joined = (role: NodeRole) =>
      renderNode({ ...input, role, internode, edge: { ...edge, key: undefined } }).ownKeyFiles
    expect(joined('history')).toEqual(['config/internode/key.pem', 'config/edge-source/key.pem'])
    expect(joined('edge')).toEqual(['config/edge-source/key.pem'])
    expect(joined('matching')).toEqual(['config/internode/key.pem'])
    expect(at('history').ownKeyFiles).toBeUndefined()
  })

  it('asks no more of the database together than one node that does everything, and leaves without haste', () => {
    const dynamic = (size: NodeInput['size']) =>
      content(renderNode({ ...input, size }), 'config/dynamic.json') as Record<string, [{ value: unknown }]>
    expect(dynamic('dev')['history.persistenceMaxQPS']?.[0].value).toBe(40_000)
    expect(dynamic('standard')['history.persistenceMaxQPS']?.[0].value).toBe(13_334)
    expect(dynamic('dev')['frontend.shutdownFailHealthCheckDuration']).toBeUndefined()
    expect(dynamic('small')['frontend.shutdownFailHealthCheckDuration']?.[0].value).toBe('3s')
  })
})

describe('renderNode', () => {
  it('makes what a node agent takes', () => {
    for (const manifest of [renderNode(input), renderNode({ ...input, edge })]) {
      expect(checkManifest(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest)
    }
  })

  it('starts Temporal before Envoy', () => {
    expect(renderNode({ ...input, edge }).processes.map((process) => process.name)).toEqual(['temporal', 'envoy'])
    expect(renderNode(input).processes.map((process) => process.name)).toEqual(['temporal'])
  })

  it('keeps every secret in a file that only its owner reads', () => {
    for (const { path, content: text, secret } of renderNode({ ...input, edge }).files) {
      expect(secret, path).toBe(/pw-1|-KEY/.test(text))
    }
  })

  it('never serves without an authorizer, and internal services never without mutual TLS', () => {
    expect(content(renderNode(input), 'config/temporal.json')).toMatchObject({
      global: {
        authorization: { authorizer: 'default', claimMapper: 'default', jwtKeyProvider: { refreshInterval: '10s' } },
        tls: { internode: { server: { requireClientAuth: true }, client: { serverName: 'cell-1.internal' } } },
      },
      services: { 'internal-frontend': {} },
    })
  })

  it('listens on its address alone, and on no port twice', () => {
    const { services } = content(renderNode(input), 'config/temporal.json') as {
      services: Record<string, { rpc: { bindOnIP: string; grpcPort: number; membershipPort: number } }>
    }
    const ports = Object.values(services).flatMap(({ rpc }) => [rpc.grpcPort, rpc.membershipPort])
    expect(new Set(Object.values(services).map(({ rpc }) => rpc.bindOnIP))).toEqual(new Set([input.address]))
    const { edge: edgePort, edgePrivate, frontendHttp, metrics, nexus } = nodePorts
    expect([...ports, edgePort, edgePrivate, frontendHttp, metrics, nexus].toSorted()).toEqual(
      [...new Set(allPorts(nodePorts))].toSorted(),
    )
  })

  it('has an HTTP API behind the authorizer alone, and sends what Temporal asks over HTTP to its own Envoy', () => {
    const manifest = renderNode({ ...input, edge })
    const { services } = content(manifest, 'config/temporal.json') as { services: Record<string, { rpc: object }> }
    const withHttp = Object.entries(services).filter(([, { rpc }]) => 'httpPort' in rpc)
    expect(withHttp.map(([name]) => name)).toEqual(['frontend'])
    expect(manifest.processes[0]?.env.HTTP_PROXY).toMatch(/^http:\/\/history:[0-9a-f]{40}@127\.77\.0\.1:7251$/)
    expect(JSON.stringify(manifest.files)).not.toContain('HTTP_PROXY')
    expect(renderNode(input).processes[0]?.env).toEqual({})
  })

  it('lets no workflow give its Nexus operations a header that the router or the server goes by', () => {
    const dynamic = content(renderNode(input), 'config/dynamic.json') as Record<string, [{ value: readonly string[] }]>
    const [{ value }] = dynamic['component.nexusoperations.disallowedHeaders'] ?? [{ value: [] }]
    for (const name of ['nexus-operation-token', 'nexus-link', 'proxy-authorization', 'caller-name']) {
      expect(value).toContain(name)
    }
    expect(dynamic['nexusoperation.disallowedHeaders']).toEqual([{ value }])
  })

  it('does not restart Temporal for what it reads again by itself', () => {
    const { restartOn } = renderNode(input).processes[0] ?? { restartOn: [] }
    expect(restartOn).toEqual(['config/temporal.json', 'config/internode/ca.pem'])
  })

  it('limits namespaces one by one, in an order that does not depend on the input', () => {
    const limits = { 'b.t': { requestsPerSecond: 5, fairness: true }, 'a.t': { requestsPerSecond: 7 } }
    expect(content(renderNode({ ...input, namespaceLimits: limits }), 'config/dynamic.json')).toMatchObject({
      'system.enableCrossNamespaceCommands': [{ value: false }],
      'system.enableRingpopTLS': [{ value: true }],
      'frontend.globalNamespaceRPS': [
        { value: 2_000 },
        { value: 7, constraints: { namespace: 'a.t' } },
        { value: 5, constraints: { namespace: 'b.t' } },
      ],
      'frontend.globalNamespaceRPS.visibility': [{ value: 30 }],
      'matching.enableFairness': [{ value: true, constraints: { namespace: 'b.t' } }],
    })
  })

  it('tells the server of as many columns for search attributes as a namespace may have', () => {
    expect(content(renderNode(input), 'config/temporal.json')).toMatchObject({
      visibility: {
        persistenceCustomSearchAttributes: {
          Bool: 20,
          Datetime: 20,
          Double: 20,
          Int: 20,
          Keyword: 40,
          KeywordList: 5,
          Text: 5,
        },
      },
    })
  })
})
