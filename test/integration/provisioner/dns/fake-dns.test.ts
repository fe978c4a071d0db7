import { beforeEach, describe, expect, test } from 'vitest'
import { FakeDns } from '../../../../apps/provisioner/dns/fake-dns.ts'
import { noDns } from '../../../../apps/provisioner/dns/no-dns.ts'
import { address, dnsContract } from './dns-contract.ts'

describe('a zone in memory', () => {
  let dns: FakeDns
  beforeEach(() => {
    dns = new FakeDns()
  })
  dnsContract(() => ({
    dns,
    lookup: async (name) => dns.lookup(name)?.values,
    addForeign: async (record) => dns.addForeign(record),
  }))
})

test('where nobody keeps names, everything is accepted and nothing is there', async () => {
  await noDns.ensure(address('cell-1.cells', '203.0.113.7'))
  await noDns.remove('whatever')
  expect(await noDns.list()).toEqual([])
})
