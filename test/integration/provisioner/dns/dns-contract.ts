import { expect, test } from 'vitest'
import type { Dns, DnsRecord } from '../../../../apps/provisioner/dns/contract.ts'

export interface DnsUnderTest {
  readonly dns: Dns
  /** What resolvers would be told, whoever made it. */
  readonly lookup: (name: string) => Promise<readonly string[] | undefined>
  /** Somebody else makes a record. */
  readonly addForeign: (record: DnsRecord) => Promise<void>
}

const domain = 'aqueduct.example.com'
export const address = (name: string, ...values: string[]): DnsRecord => ({
  name: `${name}.${domain}`,
  type: 'A',
  values,
  ttl: 60,
})
export const pointer = (name: string, to: string): DnsRecord => ({
  name: `${name}.${domain}`,
  type: 'CNAME',
  values: [`${to}.${domain}`],
  ttl: 60,
})

/** What every provider promises that keeps names at all. */
export function dnsContract(begin: () => DnsUnderTest): void {
  const names = async () => (await begin().dns.list()).map(({ name }) => name.slice(0, -domain.length - 1)).sort()

  test('a record that is made is there, is made again without a change, and goes', async () => {
    const { dns, lookup } = begin()
    const record = address('cell-1.cells', '203.0.113.8', '203.0.113.7')
    await dns.ensure(record)
    await dns.ensure(record)
    expect((await lookup(record.name))?.toSorted()).toEqual(['203.0.113.7', '203.0.113.8'])
    expect(await names()).toEqual(['cell-1.cells'])
    await dns.remove(record.name)
    await dns.remove(record.name)
    expect(await lookup(record.name)).toBeUndefined()
    expect(await names()).toEqual([])
  })

  test('a record changes, and so does its type', async () => {
    const { dns, lookup } = begin()
    await dns.ensure(pointer('payments.a1b2c', 'cell-1.cells'))
    await dns.ensure(pointer('payments.a1b2c', 'cell-2.cells'))
    expect(await lookup(`payments.a1b2c.${domain}`)).toEqual([`cell-2.cells.${domain}`])
    await dns.ensure(address('payments.a1b2c', '203.0.113.7'))
    expect(await lookup(`payments.a1b2c.${domain}`)).toEqual(['203.0.113.7'])
    expect((await dns.list()).map(({ record }) => record?.type)).toEqual(['A'])
  })

  test('what somebody else made is neither changed, nor deleted, nor listed', async () => {
    const { dns, lookup, addForeign } = begin()
    await addForeign(address('www.a1b2c', '198.51.100.1'))
    await addForeign(pointer('web.a1b2c', 'elsewhere'))
    await expect(dns.ensure(pointer('www.a1b2c', 'cell-1.cells'))).rejects.toMatchObject({ kind: 'foreign' })
    await expect(dns.ensure(address('web.a1b2c', '203.0.113.7'))).rejects.toMatchObject({ kind: 'foreign' })
    await dns.remove(`www.a1b2c.${domain}`)
    expect(await lookup(`www.a1b2c.${domain}`)).toEqual(['198.51.100.1'])
    expect(await lookup(`web.a1b2c.${domain}`)).toEqual([`elsewhere.${domain}`])
    expect(await names()).toEqual([])
  })

  test('one name that is taken stops none of those that are asked for with it', async () => {
    const { dns, addForeign } = begin()
    await addForeign(address('n3.a1b2c', '198.51.100.1'))
    const wishes = Array.from({ length: 12 }, (_, index) => dns.ensure(pointer(`n${index}.a1b2c`, 'cell-1.cells')))
    const answers = await Promise.allSettled(wishes)
    expect(answers.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([3])
    expect(await names()).toHaveLength(11)
  })

  test('two wishes for one name are fulfilled in their order', async () => {
    const { dns, lookup } = begin()
    await Promise.all([
      dns.ensure(pointer('payments.a1b2c', 'cell-1.cells')),
      dns.ensure(pointer('payments.a1b2c', 'cell-2.cells')),
    ])
    expect(await lookup(`payments.a1b2c.${domain}`)).toEqual([`cell-2.cells.${domain}`])
  })
}
