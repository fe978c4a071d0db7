import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from '@aws-sdk/client-route-53'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { DnsError, type DnsErrorKind, type DnsRecord } from '../../../../apps/provisioner/dns/contract.ts'
import {
  type RecordChange,
  type RecordSet,
  type RecordSetKey,
  type Route53Api,
  route53Api,
} from '../../../../apps/provisioner/dns/route53-api.ts'
import { Route53Dns } from '../../../../apps/provisioner/dns/route53-dns.ts'
import { type Moto, motoPython, startMoto } from '../../../harness/moto.ts'
import { address, dnsContract, pointer } from './dns-contract.ts'

let moto: Moto
let client: Route53Client
let hostedZoneId: string
let api: RecordedApi
let dns: Route53Dns

/**
 * Counts calls, and lets the next one fail before or after its effect. Refuses what Route 53 refuses and Moto lets through: a
 * CREATE beside what is there, a DELETE of what is not there as it is named.
 */
class RecordedApi implements Route53Api {
  readonly calls: string[] = []
  failure: { readonly call: keyof Route53Api; readonly kind: DnsErrorKind; readonly after: boolean } | undefined
  readonly #real: Route53Api

  constructor(real: Route53Api) {
    this.#real = real
  }

  ListResourceRecordSets: Route53Api['ListResourceRecordSets'] = (input) =>
    this.#call('ListResourceRecordSets', () => this.#real.ListResourceRecordSets(input))

  ChangeResourceRecordSets: Route53Api['ChangeResourceRecordSets'] = (input) =>
    this.#call('ChangeResourceRecordSets', async () => {
      for (let from: RecordSetKey | undefined, sets: RecordSet[] = []; ; ) {
        const page = await this.#real.ListResourceRecordSets({ limit: 300, ...(from === undefined ? {} : { from }) })
        sets = [...sets, ...page.sets]
        from = page.next
        if (from !== undefined) continue
        if (isRefused(sets, input)) throw new DnsError('changed', 'the batch is refused')
        return this.#real.ChangeResourceRecordSets(input)
      }
    })

  async #call<Result>(call: keyof Route53Api, work: () => Promise<Result>): Promise<Result> {
    this.calls.push(call)
    const { failure } = this
    if (failure?.call !== call) return work()
    this.failure = undefined
    if (failure.after) await work()
    throw new DnsError(failure.kind, 'on demand')
  }
}

function isRefused(sets: readonly RecordSet[], changes: readonly RecordChange[]): boolean {
  const is = (a: RecordSet, b: RecordSet) => JSON.stringify(a) === JSON.stringify(b)
  let present = [...sets]
  for (const { action, set } of changes) {
    if (action === 'DELETE') {
      if (!present.some((one) => is(one, set))) return true
      present = present.filter((one) => !is(one, set))
      continue
    }
    const beside = present.filter(({ name }) => name === set.name)
    if (beside.some(({ type }) => type === set.type || type === 'CNAME' || set.type === 'CNAME')) return true
    present.push(set)
  }
  return false
}

beforeAll(async () => {
  await motoPython()
  moto = await startMoto()
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
  client = new Route53Client({ region: 'us-east-1', endpoint: moto.url })
}, 300_000)
afterAll(async () => {
  vi.unstubAllEnvs()
  client?.destroy()
  await moto?.stop()
})
beforeEach(async () => {
  await moto.reset()
  const { HostedZone } = await client.send(
    new CreateHostedZoneCommand({ Name: 'aqueduct.example.com', CallerReference: 'test' }),
  )
  hostedZoneId = (HostedZone?.Id ?? '').replace('/hostedzone/', '')
  api = new RecordedApi(route53Api({ hostedZoneId, endpoint: moto.url, paceMs: 0 }))
  dns = new Route53Dns(api, hostedZoneId, 'one')
})

async function lookup(name: string, type?: string): Promise<readonly string[] | undefined> {
  const { ResourceRecordSets: sets = [] } = await client.send(
    new ListResourceRecordSetsCommand({ HostedZoneId: hostedZoneId, StartRecordName: name }),
  )
  const found = sets.find((set) => set.Name === `${name}.` && (type === undefined || set.Type === type))
  return found?.ResourceRecords?.map(({ Value = '' }) => Value.replace(/\.$/, ''))
}

async function addForeign({ name, type, values, ttl }: DnsRecord): Promise<void> {
  const set = { Name: `${name}.`, Type: type, TTL: ttl, ResourceRecords: values.map((Value) => ({ Value })) }
  await client.send(
    new ChangeResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      ChangeBatch: { Changes: [{ Action: 'CREATE', ResourceRecordSet: set }] },
    }),
  )
}

describe('Route 53', () => {
  dnsContract(() => ({ dns, lookup, addForeign }))

  test('a mark stands beside each record, and goes with it', async () => {
    await dns.ensure(address('cell-1.cells', '203.0.113.7'))
    const mark = '_aqueduct.cell-1.cells.aqueduct.example.com'
    expect(await lookup(mark, 'TXT')).toEqual(['"heritage=aqueduct,installation=one"'])
    await dns.remove('cell-1.cells.aqueduct.example.com')
    expect(await lookup(mark, 'TXT')).toBeUndefined()
  })

  test('another installation in the same zone is somebody else', async () => {
    const other = new Route53Dns(api, hostedZoneId, 'two')
    await other.ensure(address('cell-1.cells', '203.0.113.7'))
    await expect(dns.ensure(address('cell-1.cells', '203.0.113.8'))).rejects.toMatchObject({ kind: 'foreign' })
    await dns.remove('cell-1.cells.aqueduct.example.com')
    expect(await lookup('cell-1.cells.aqueduct.example.com')).toEqual(['203.0.113.7'])
    expect(await dns.list()).toEqual([])
  })

  test('many names go in few calls, and are listed over pages', async () => {
    await Promise.all(Array.from({ length: 620 }, (_, index) => dns.ensure(pointer(`n${index}.a1b2c`, 'cell-1.cells'))))
    expect(api.calls.filter((call) => call === 'ChangeResourceRecordSets')).toHaveLength(2)
    api.calls.length = 0
    expect(await dns.list()).toHaveLength(620)
    expect(api.calls.length).toBeGreaterThan(3)
  })

  test('an answer that is lost after the effect is made up for by the next call', async () => {
    const record = pointer('payments.a1b2c', 'cell-1.cells')
    api.failure = { call: 'ChangeResourceRecordSets', kind: 'unknown', after: true }
    await expect(dns.ensure(record)).rejects.toMatchObject({ kind: 'unknown' })
    await dns.ensure(record)
    expect(await lookup(record.name)).toEqual(record.values)
    api.failure = { call: 'ChangeResourceRecordSets', kind: 'unknown', after: true }
    await expect(dns.remove(record.name)).rejects.toMatchObject({ kind: 'unknown' })
    await dns.remove(record.name)
    expect(await lookup(record.name)).toBeUndefined()
  })

  test('throttled is not taken for refused: nothing is halved, and everybody hears of it', async () => {
    api.failure = { call: 'ChangeResourceRecordSets', kind: 'throttled', after: false }
    const answers = await Promise.allSettled([
      dns.ensure(pointer('a.a1b2c', 'cell-1.cells')),
      dns.ensure(pointer('b.a1b2c', 'cell-1.cells')),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(api.calls).toEqual(['ChangeResourceRecordSets'])
  })

  test('two provisioners that want the same do no harm', async () => {
    const other = new Route53Dns(api, hostedZoneId, 'one')
    const record = address('cell-1.cells', '203.0.113.7')
    await Promise.all([dns.ensure(record), other.ensure(record)])
    expect(await dns.list()).toHaveLength(1)
    expect(await lookup(record.name)).toEqual(['203.0.113.7'])
  })

  test('a mark alone is listed, taken up by a record, and removed', async () => {
    const record = address('cell-1.cells', '203.0.113.7')
    await dns.ensure(record)
    const { ResourceRecordSets: sets = [] } = await client.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: hostedZoneId }),
    )
    const set = sets.find(({ Type }) => Type === 'A')
    await client.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: hostedZoneId,
        ChangeBatch: { Changes: [{ Action: 'DELETE', ResourceRecordSet: set }] },
      }),
    )
    expect(await dns.list()).toEqual([{ name: record.name }])
    await dns.ensure(address('cell-1.cells', '203.0.113.8'))
    expect(await lookup(record.name)).toEqual(['203.0.113.8'])
  })

  test('a call that gets no answer ends, and lets the next one through', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const hanging = route53Api({ hostedZoneId, endpoint: `http://127.0.0.1:${port}`, paceMs: 0, timeoutMs: 50 })
    const names = new Route53Dns(hanging, hostedZoneId, 'one')
    try {
      const [one, other] = [pointer('a.a1b2c', 'cell-1.cells'), pointer('b.a1b2c', 'cell-1.cells')]
      await expect(names.ensure(one)).rejects.toMatchObject({ kind: 'unknown' })
      await expect(names.ensure(other)).rejects.toMatchObject({ kind: 'unknown' })
    } finally {
      silent.closeAllConnections()
      silent.close()
    }
  })

  test('a zone that is not there is told apart', async () => {
    const nowhere = route53Api({ hostedZoneId: 'Z0NOWHERE', endpoint: moto.url, paceMs: 0 })
    await expect(nowhere.ListResourceRecordSets({ limit: 1 })).rejects.toMatchObject({ kind: 'not_found' })
  })
})
