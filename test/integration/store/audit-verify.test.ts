import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appendAuditEntriesOfOneChain } from '#libs/store/audit'
import { verifyAuditLog } from '../../../apps/aqueduct/audit-verify.ts'
import { readLauncherSettings } from '../../../apps/aqueduct/settings.ts'
import type { TestDatabase } from '../../harness/postgres.ts'
import { AuditFixture } from './audit-fixture.ts'

let fixture: AuditFixture
let testDatabase: TestDatabase
let admin: Client
let folder: string
beforeEach(async () => {
  fixture = await AuditFixture.start()
  testDatabase = fixture.testDatabase
  admin = fixture.admin
  folder = mkdtempSync(join(tmpdir(), 'aqueduct-audit-'))
  const api = fixture.pool(testDatabase.roleUrl('aqueduct_api'), 1)
  for (const tenantId of ['aaaaa', 'bbbbb']) {
    await appendAuditEntriesOfOneChain(api, Array(5).fill(fixture.entry(tenantId)))
  }
})
afterEach(async () => {
  rmSync(folder, { recursive: true })
  await fixture.close()
})

async function verify(anchorFile?: string) {
  const [said, heads, updates]: string[][] = [[], [], []]
  const well = await verifyAuditLog({
    settings: readLauncherSettings({ DATABASE_URL: testDatabase.adminUrl, AQUEDUCT_DATA_DIR: folder }),
    anchorFile,
    screen: {
      line: (text) => void said?.push(text),
      busy: () => ({ update: (text) => void updates?.push(text), end: () => undefined }),
    },
    print: (line) => void heads?.push(line),
  })
  return { well, said: said?.join('\n') ?? '', heads: heads ?? [], updates: updates ?? [] }
}

async function tamper(statement: string): Promise<void> {
  await admin.query(`set session_replication_role = replica; ${statement}; set session_replication_role = origin`)
}

test('a whole log prints a head a chain, tells of its progress, and holds against its own heads', async () => {
  const { well, said, heads, updates } = await verify()
  expect({ well, said }).toMatchObject({ well: true, said: expect.stringContaining('10 entries in 3 chains') })
  expect(heads).toEqual([
    expect.stringMatching(/^_fleet 0 [0-9a-f]{64}$/),
    expect.stringMatching(/^aaaaa 5 [0-9a-f]{64}$/),
    expect.stringMatching(/^bbbbb 5 [0-9a-f]{64}$/),
  ])
  expect(updates.at(-1)).toContain('10 of about 10 entries')
  const anchor = join(folder, 'heads.txt')
  writeFileSync(anchor, `> npm says something\n${heads.join('\n')}\n`)
  expect((await verify(anchor)).well).toBe(true)
})

test('names the first broken entry, and the chains that are whole', async () => {
  await tamper("update audit_entries set reason = 'x' where chain = 'aaaaa' and seq >= 3")
  const { well, said, heads } = await verify()
  expect(well).toBe(false)
  expect(said).toContain('BROKEN: chain aaaaa, entry 3 (log-aaaaa-000000000003)')
  expect(said).not.toContain('entry 4')
  expect(heads.map((line) => line.split(' ')[0])).toEqual(['_fleet', 'bbbbb'])
})

test('with an anchor it sees what was rolled back as a whole, and a chain that is gone altogether', async () => {
  const anchor = join(folder, 'heads.txt')
  writeFileSync(anchor, (await verify()).heads.join('\n'))
  await tamper(
    `delete from audit_entries where chain = 'aaaaa' and seq > 2;
     update audit_chains c set seq = 2, hash = e.hash from audit_entries e where c.chain = 'aaaaa' and e.chain = 'aaaaa' and e.seq = 2;
     delete from audit_entries where chain = 'bbbbb'; delete from audit_chains where chain = 'bbbbb'; delete from tenants where id = 'bbbbb'`,
  )
  expect((await verify()).well).toBe(true)
  const { well, said } = await verify(anchor)
  expect(well).toBe(false)
  expect(said).toContain('chain aaaaa, entry 3')
  expect(said).toContain('chain bbbbb, entry 1')
})

test('a file without heads is no anchor', async () => {
  const anchor = join(folder, 'heads.txt')
  writeFileSync(anchor, 'nothing\n')
  await expect(verify(anchor)).rejects.toThrow('no heads')
})
