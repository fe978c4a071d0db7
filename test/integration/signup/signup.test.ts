import { afterAll, beforeAll, expect, test } from 'vitest'
import { Listeners } from '../operator/listener.ts'

let listeners: Listeners
beforeAll(async () => {
  listeners = await Listeners.start()
})
afterAll(() => listeners.close())

const application = { email: 'ada@example.com', company: 'Engines', useCase: 'Long runs\nof many kinds' }

test('whoever applies again has the same entry, and nobody can tell a known address from a new one', async () => {
  const apply = async (email: string) => (await listeners.anybody('/v1/waitlist', { ...application, email })).body
  const first = await apply('ada@example.com')
  const again = await apply('Ada@Example.com')
  expect(again.id).toBe(first.id)
  await listeners.call(`/operator/v1/waitlist/${first.id}/approve`, { method: 'POST' })

  // Whose place in the line is known before and after an address is tried learns nothing from how it moved.
  const before = await apply('eve1@example.com')
  const known = await apply('ada@example.com')
  const between = await apply('eve2@example.com')
  const unknown = await apply('nobody@example.com')
  const after = await apply('eve3@example.com')
  expect(known.id).toBe(first.id)
  expect(known).toEqual({ id: first.id, position: before.position + 1, state: 'waiting' })
  expect(between.position).toBe(before.position + 2)
  expect(unknown).toEqual({ id: expect.any(String), position: between.position + 1, state: 'waiting' })
  expect(after.position).toBe(between.position + 2)
})

test('there are no dry runs here: who asks for one is told, and nothing is written', async () => {
  const headers = { 'x-aqueduct-dry-run': 'true' }
  const entries = async () => (await listeners.call('/operator/v1/waitlist')).body.entries.length
  const before = await entries()
  const tried = await listeners.anybody('/v1/waitlist', { ...application, email: 'dry@example.com' }, headers)
  expect(tried).toMatchObject({ status: 400, body: { message: expect.stringContaining('x-aqueduct-dry-run') } })
  expect(await entries()).toBe(before)
  const token = 'x'.repeat(43)
  expect((await listeners.anybody('/v1/invitations/accept', { token }, headers)).status).toBe(400)
})

test('applying again changes nothing of the entry', async () => {
  const { id } = (await listeners.anybody('/v1/waitlist', { ...application, email: 'first@example.com' })).body
  await listeners.anybody('/v1/waitlist', { email: 'FIRST@example.com', company: 'Evil', useCase: 'none' })
  const { entries } = (await listeners.call('/operator/v1/waitlist')).body
  const entry = entries.find((each: { id: string }) => each.id === id)
  expect(entry).toMatchObject({ ...application, email: 'first@example.com', applications: 2 })
})

const long = (length: number) => 'x'.repeat(length)
test.each<[string, string, object | string, string]>([
  ['no address', '/v1/waitlist', { ...application, email: 'ada' }, 'email'],
  ['a header in the address', '/v1/waitlist', { ...application, email: 'a@b.co\r\nBcc: all@b.co' }, 'email'],
  ['no use case', '/v1/waitlist', { ...application, useCase: ' ' }, 'useCase'],
  ['a company of two lines', '/v1/waitlist', { ...application, company: 'a\nb' }, 'company'],
  ['a company of a novel', '/v1/waitlist', { ...application, company: long(129) }, 'company'],
  ['a missing field', '/v1/waitlist', { email: 'a@b.co', company: 'c' }, 'useCase'],
  ['an unknown field', '/v1/waitlist', { ...application, state: 'approved' }, 'state'],
  ['a field of another type', '/v1/waitlist', { ...application, company: 7 }, 'company'],
  ['a huge body', '/v1/waitlist', { ...application, useCase: long(20_000) }, 'body'],
  ['a list', '/v1/waitlist', [], 'body'],
  ['no token', '/v1/invitations/accept', {}, 'token'],
  ['an empty token', '/v1/invitations/accept', { token: '' }, 'token'],
  ['a token and more', '/v1/invitations/accept', { token: 'aqinv_x', tenantId: 'a1b2c' }, 'tenantId'],
  ['no JSON', '/v1/invitations/accept', '{"token":"aqinv_secret', 'body'],
])('%s is INVALID_ARGUMENT, and the field is named', async (_what, path, body, field) => {
  const answer = await listeners.anybody(path, body)
  expect(answer).toMatchObject({ status: 400, body: { code: 3 } })
  expect(answer.body.details[0].fieldViolations).toMatchObject([{ field }])
  expect(JSON.stringify(answer.body) + listeners.logged).not.toContain('aqinv_secret')
})

test('the page that an invitation opens runs its own script and no other', async () => {
  const page = await listeners.anybody('/invitations')
  expect(page.status).toBe(200)
  expect(page.body).toContain('location.hash')
})

test('one address that asks too often is told to wait', async () => {
  const few = await Listeners.start(3)
  try {
    const answers = []
    for (const email of ['a@b.co', 'b@b.co', 'c@b.co', 'd@b.co']) {
      answers.push(await few.anybody('/v1/waitlist', { ...application, email }))
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers[3]?.body).toMatchObject({ code: 8, message: expect.stringContaining('too many requests') })
    expect((await few.anybody('/v1/invitations/accept', { token: 'aqinv_x' })).status).toBe(429)
  } finally {
    await few.close()
  }
})
