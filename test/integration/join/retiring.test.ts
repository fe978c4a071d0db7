import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLogger } from '#libs/telemetry'
import { renewCertificates } from '../../../apps/provisioner/reconcilers/certificates/renew.ts'
import { joinBy } from './join-by.ts'
import { JoinFixture, type JoiningNode } from './join-fixture.ts'

const day = 86_400_000
let fixture: JoinFixture

beforeAll(async () => {
  fixture = await JoinFixture.start()
})
afterAll(async () => {
  await fixture.stop()
})

async function renew(inDays: number): Promise<number> {
  const clock = { now: () => new Date(Date.now() + inDays * day) }
  const deps = { ...fixture.deps, clock, domain: 'example.test', logger: createLogger('test', 'silent') }
  return await renewCertificates(deps, new AbortController().signal)
}

async function retirement(node: JoiningNode): Promise<{ reason: string | null; days: number | null }> {
  const { rows } = await fixture.admin.query(
    'select retire_reason as reason, extract(day from retire_by - now()) as days from nodes where id = $1',
    [node.id],
  )
  return { reason: rows[0].reason, days: rows[0].days === null ? null : Number(rows[0].days) }
}

test('a node that has joined gets no other certificate: it is replaced before the one that it has ends', async () => {
  const joined = await fixture.launched()
  await joinBy(fixture, joined)
  const waiting = await fixture.launched()
  expect(await renew(59)).toBe(0)
  expect(await retirement(joined)).toEqual({ reason: null, days: null })
  expect(await renew(61)).toBe(0)
  expect(await retirement(joined)).toEqual({ reason: 'certificate', days: 89 })
  expect(await retirement(waiting)).toEqual({ reason: null, days: null })
  const { rows } = await fixture.admin.query("select node_id from certificates where purpose = 'node'")
  expect(rows).toEqual([{ node_id: joined.id }])
  const { rowCount } = await fixture.admin.query("select from graphile_worker.jobs where key = 'reconcile-cell:cell-1'")
  expect(rowCount).toBe(1)
})

test('what the provider announced before stays', async () => {
  const node = await fixture.launched()
  await joinBy(fixture, node)
  await fixture.admin.query(
    "update nodes set retire_reason = 'interruption', retire_by = now() + interval '5 days 1 hour' where id = $1",
    [node.id],
  )
  await renew(61)
  expect(await retirement(node)).toEqual({ reason: 'interruption', days: 5 })
})
