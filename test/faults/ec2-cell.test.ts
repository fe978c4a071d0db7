import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import {
  CreateHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from '@aws-sdk/client-route-53'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Machines } from '../harness/machines.ts'
import { type Moto, startMoto } from '../harness/moto.ts'
import { makeMotoRegion, motoCredentials } from '../harness/moto-region.ts'
import { until } from '../harness/until.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { operator, Tenant } from './tenant.ts'
import { Traffic } from './traffic.ts'

const installation = 'end-to-end'
const region = 'aws-us-east-1'
const domain = 'aqueduct.localhost'

let moto: Moto
let machines: Machines
let product: ProductUnderFault
let tenant: Tenant
let route53: Route53Client
let hostedZoneId: string

beforeAll(async () => {
  moto = await startMoto()
  const { options, imageParameter } = await makeMotoRegion(moto.url, installation)
  const [joinPort, discoveryPort] = await Promise.all([freePort(), freePort()])
  machines = Machines.start(moto.url)
  route53 = new Route53Client({ region: 'us-east-1', endpoint: moto.url, credentials: motoCredentials })
  const zone = await route53.send(new CreateHostedZoneCommand({ Name: domain, CallerReference: installation }))
  hostedZoneId = (zone.HostedZone?.Id ?? '').replace('/hostedzone/', '')
  const regions = [
    {
      id: region,
      driver: 'ec2',
      cellSize: 'small',
      nodeLimit: 6,
      nodeTemplate: { image: `ssm:${imageParameter}`, instanceTypes: { default: ['m6i.large', 'm5.large'] } },
      dns: { provider: 'route53', hostedZoneId, endpoint: moto.url },
      options: {
        ...options,
        endpoint: moto.url,
        joinUrls: [`https://127.0.0.1:${joinPort}`],
        discoveryUrl: `https://127.0.0.1:${discoveryPort}`,
      },
    },
  ]
  product = await ProductUnderFault.start({
    AQUEDUCT_REGIONS: JSON.stringify(regions),
    AQUEDUCT_DOMAIN: domain,
    AQUEDUCT_JOIN_PORT: String(joinPort),
    AQUEDUCT_DISCOVERY_PORT: String(discoveryPort),
    AWS_ACCESS_KEY_ID: motoCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: motoCredentials.secretAccessKey,
  })
  tenant = await Tenant.join(product, 'far@example.com')
})
afterAll(async () => {
  await machines?.stop()
  await product?.stop()
  route53?.destroy()
  await moto?.stop()
})

interface NodeView {
  readonly id: string
  readonly state: string
  readonly address?: string
  readonly publicAddress?: string
  readonly machineId?: string
}

async function nodes(): Promise<readonly NodeView[]> {
  const { body } = await operator(product, 'GET', '/operator/v1/nodes')
  return body.nodes
}

async function readyNodes(count: number, timeoutMs: number): Promise<readonly NodeView[]> {
  return until(
    `${count} nodes are ready`,
    async () => {
      const all = await nodes()
      return all.length === count && all.every((node) => node.state === 'ready') && all
    },
    timeoutMs,
  ).catch(async (thrown: unknown) => {
    product.keepData()
    throw new Error(`${thrown}\n${JSON.stringify(await nodes(), null, 2)}\n${machines.logs()}`)
  })
}

test('a cell on machines that join by themselves carries workflows through its edges, also when a machine is taken', async () => {
  const created = await tenant.create('payments')
  await tenant.outcome(created, 120_000).catch(async (thrown: unknown) => {
    product.keepData()
    throw new Error(`${thrown}\n${JSON.stringify(await nodes(), null, 2)}\n${machines.logs()}`)
  })
  const first = await readyNodes(3, 60_000)
  expect((await machines.list()).filter(({ State }) => State?.Name === 'running')).toHaveLength(3)

  const namespaceId = tenant.namespaceId('payments')
  // Each edge comes into the name within a second of being ready.
  const leadsTo = await until('its name leads to every edge', async () => {
    const addresses = await resolved(`${namespaceId}.${domain}`)
    return addresses.length === 3 && addresses
  })
  expect(leadsTo).toEqual(publicAddresses(first))
  const [publicAddress = ''] = leadsTo
  expect(first.map(({ address }) => address)).not.toContain(publicAddress)
  const certificate = await tenant.issueCertificate()
  await tenant.outcome(
    await tenant.update('payments', {
      mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(certificate.caCertificate).toString('base64') },
    }),
  )
  const traffic = await Traffic.start({
    edge: `${publicAddress}:7233`,
    namespaceId,
    hostname: `${namespaceId}.${domain}`,
    certificate,
    serverCa: readFileSync(product.addresses.caFile, 'utf8'),
  })
  try {
    await until('workflows run', () => traffic.completed >= 5, 60_000)

    // Not the one that the customer is connected with: how long clients wait before they connect anew is theirs.
    const victim = first.find((node) => node.publicAddress !== publicAddress)
    await machines.unplug(victim?.machineId ?? '')
    const replaced = await until(
      'another machine is in its place',
      async () => {
        const all = await nodes()
        const isReplaced = all.every((node) => node.id !== victim?.id && node.state === 'ready')
        return all.length === 3 && isReplaced && all
      },
      90_000,
    )
    expect(publicAddresses(replaced)).toEqual(publicAddresses(first))
    const before = traffic.completed
    await until('workflows still run', () => traffic.completed >= before + 5, 60_000)
    expect((await machines.list()).filter(({ State }) => State?.Name === 'running')).toHaveLength(3)
    // The one that ran all the while comes to its end, too.
    expect(await traffic.end()).toBeGreaterThan(1)
  } finally {
    await traffic.close()
  }
})

function publicAddresses(all: readonly NodeView[]): readonly string[] {
  return all.map(({ publicAddress = '' }) => publicAddress).sort()
}

/** The addresses that a new name has in the zone, by way of the name that it points at. Moto adds where Route 53 refuses. */
async function resolved(name: string): Promise<readonly string[]> {
  const { ResourceRecordSets = [] } = await route53.send(
    new ListResourceRecordSetsCommand({ HostedZoneId: hostedZoneId }),
  )
  const values = (type: ResourceRecordSet['Type'], of: string): readonly string[] =>
    ResourceRecordSets.filter(({ Name, Type }) => Type === type && Name === `${of.replace(/\.$/, '')}.`).flatMap(
      ({ ResourceRecords = [] }) => ResourceRecords.map(({ Value = '' }) => Value),
    )
  const [pointsAt = name] = values('CNAME', name)
  return [...new Set(values('A', pointsAt))].toSorted()
}

/** Told to the machines before the product is there to pick one. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}
