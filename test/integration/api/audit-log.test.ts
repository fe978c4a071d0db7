import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { verifyAuditChain } from '#libs/store/audit'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let neighbour: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  neighbour = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

let from = 0
beforeEach(async () => {
  from = (await entries()).length
})

/** Every entry of all chains, in the order of time. */
async function entries() {
  await api.audit.flush()
  const { rows } = await api.admin.query('select * from audit_entries order by emit_time, chain, seq')
  return rows
}

/** Those since the test began. */
async function since() {
  return (await entries()).slice(from)
}

const account = (name: string) => ({ spec: { name, access: { accountAccess: { role: 'ROLE_READ' } } } })

describe('what was changed', () => {
  test('is one entry, with who, how, whence and what, over REST', async () => {
    const { body } = await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('one'), {
      'x-request-id': 'request-1',
    })
    expect(await since()).toMatchObject([
      {
        chain: 'aaaaa',
        tenant_id: 'aaaaa',
        recorded_by: 'aqueduct_api',
        interface: 'cloud_rest',
        operation: 'CreateServiceAccount',
        principal_type: 'user',
        principal_id: owner.id,
        principal_name: `${owner.id}@example.test`,
        credential_kind: 'api_key',
        credential_id: owner.keyId,
        source_address: '127.0.0.1',
        target: { resourceKind: 'service_account', resourceId: body.serviceAccountId, name: 'one' },
        outcome: 'OK',
        reason: '',
        request_id: 'request-1',
        async_operation_id: body.asyncOperation.id,
        repeats: 1,
      },
    ])
  })

  test('and over gRPC; a repeat says that it is one', async () => {
    const request = { ...account('two'), asyncOperationId: 'twice' }
    const spec = { name: 'two', access: { accountAccess: { role: 5 } } }
    await api.grpc(owner.token, 'CreateServiceAccount', { spec, asyncOperationId: request.asyncOperationId })
    await api.grpc(owner.token, 'CreateServiceAccount', { spec, asyncOperationId: request.asyncOperationId })
    expect(await since()).toMatchObject([
      { interface: 'cloud_grpc', outcome: 'OK', async_operation_id: 'twice', details: {} },
      { interface: 'cloud_grpc', outcome: 'OK', async_operation_id: 'twice', details: { repeated: true } },
    ])
  })

  test('is no entry when it was only tried; a refusal of the trial is', async () => {
    const dry = { 'x-aqueduct-dry-run': 'true' }
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('dry'), dry)).status).toBe(200)
    expect(await since()).toEqual([])
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', account(''), dry)).status).toBe(400)
    expect(await since()).toMatchObject([{ outcome: 'INVALID_ARGUMENT', details: { dryRun: true } }])
  })

  test('never holds a secret', async () => {
    const spec = {
      ownerId: owner.id,
      ownerType: 'OWNER_TYPE_USER',
      displayName: 'k',
      expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
    }
    const { body } = await api.rest(owner.token, 'POST', '/cloud/api-keys', { spec })
    await api.rest(owner.token, 'POST', '/cloud/namespaces', {
      spec: {
        name: 'secret',
        regions: ['aws-us-east-1'],
        retentionDays: 3,
        mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') },
      },
    })
    await api.rest('nobody-knows-this', 'GET', '/cloud/namespaces')
    const written = JSON.stringify(await since())
    expect(JSON.parse(written)).toHaveLength(3)
    for (const secret of [
      body.token,
      owner.token,
      'nobody-knows-this',
      'CERTIFICATE',
      Buffer.from(api.ca).toString('base64').slice(0, 40),
    ]) {
      expect(written).not.toContain(secret)
    }
  })

  test('when nothing was changed in the end, nothing is written', async () => {
    await api.admin.query(
      "create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end'",
    )
    await api.admin.query('create trigger refuse before insert on audit_entries for each row execute function refuse()')
    try {
      expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('unwritten'))).status).toBe(500)
      const { rows } = await api.admin.query("select from service_accounts where name = 'unwritten'")
      expect(rows).toEqual([])
    } finally {
      await api.admin.query('drop trigger refuse on audit_entries')
      await api.admin.query('drop function refuse')
    }
  })
})

describe('what was refused', () => {
  test('changes: whatever the status', async () => {
    await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('Not a name!\0'))
    await api.rest(owner.token, 'DELETE', '/cloud/service-accounts/sa-none?resourceVersion=1')
    const reader = await api.newUser('aaaaa', 'read')
    await api.rest(reader.token, 'POST', '/cloud/service-accounts', account('forbidden'))
    const taken = account('taken')
    await api.rest(owner.token, 'POST', '/cloud/service-accounts', taken)
    await api.rest(owner.token, 'POST', '/cloud/service-accounts', taken)
    const seen = (await since()).filter(({ outcome }) => outcome !== 'OK')
    expect(seen.map(({ outcome, chain }) => [outcome, chain])).toEqual(
      expect.arrayContaining([
        ['INVALID_ARGUMENT', 'aaaaa'],
        ['NOT_FOUND', 'aaaaa'],
        ['PERMISSION_DENIED', 'aaaaa'],
        ['ALREADY_EXISTS', 'aaaaa'],
      ]),
    )
    expect(seen).toHaveLength(4)
    expect(seen.find(({ outcome }) => outcome === 'NOT_FOUND')).toMatchObject({
      target: { serviceAccountId: 'sa-none' },
      principal_id: owner.id,
      credential_id: owner.keyId,
    })
    expect(seen.find(({ outcome }) => outcome === 'PERMISSION_DENIED')).toMatchObject({ principal_id: reader.id })
  })

  test('reads: not known, not allowed, not there; not what was asked badly', async () => {
    await api.rest(owner.token, 'GET', '/cloud/namespaces/none.bbbbb')
    await api.rest(owner.token, 'GET', '/cloud/namespaces?pageSize=-1')
    await api.rest(owner.token, 'GET', '/cloud/namespaces')
    expect(await since()).toMatchObject([
      { operation: 'GetNamespace', outcome: 'NOT_FOUND', chain: 'aaaaa', target: { namespace: 'none.bbbbb' } },
    ])
  })

  test('a body that cannot be read is refused to somebody', async () => {
    await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('x'), { 'content-type': 'text/plain' })
    expect(await since()).toMatchObject([
      { operation: 'CreateServiceAccount', outcome: 'INVALID_ARGUMENT', principal_id: owner.id, chain: 'aaaaa' },
    ])
  })

  test('strangers are in the fleet’s chain; revoked and expired keys, and suspended tenants, in their own', async () => {
    await api.rest('', 'GET', '/cloud/namespaces')
    await expect(api.grpc('', 'DeleteNamespace', {})).rejects.toMatchObject({ code: status.UNAUTHENTICATED })
    const revoked = await api.newUser('bbbbb', 'admin')
    await api.admin.query('update api_keys set deleted_at = now() where id = $1', [revoked.keyId])
    await api.rest(revoked.token, 'GET', '/cloud/namespaces')
    const expired = await api.newUser('bbbbb', 'admin')
    api.clock.aheadMs = 2 * 3_600_000
    await api.rest(expired.token, 'GET', '/cloud/namespaces')
    await api.rest(neighbour.token, 'GET', '/cloud/namespaces')
    api.clock.aheadMs = 0
    await api.admin.query("update tenants set state = 'suspended' where id = 'bbbbb'")
    await api.rest(neighbour.token, 'GET', '/cloud/namespaces')
    await api.admin.query("update tenants set state = 'active' where id = 'bbbbb'")
    const seen = await since()
    expect(seen.filter(({ chain }) => chain === '_fleet')).toMatchObject([
      {
        operation: 'GetNamespaces',
        outcome: 'UNAUTHENTICATED',
        principal_type: 'anonymous',
        principal_id: '',
        tenant_id: null,
      },
      { operation: 'DeleteNamespace', outcome: 'UNAUTHENTICATED', interface: 'cloud_grpc' },
    ])
    expect(seen.filter(({ chain }) => chain === 'bbbbb')).toMatchObject([
      { outcome: 'UNAUTHENTICATED', principal_id: revoked.id, credential_id: revoked.keyId },
      { outcome: 'UNAUTHENTICATED', principal_id: expired.id, credential_id: expired.keyId, reason: 'Jwt is expired' },
      { outcome: 'UNAUTHENTICATED', principal_id: neighbour.id },
      { outcome: 'PERMISSION_DENIED', principal_id: neighbour.id, credential_id: neighbour.keyId },
    ])
  })

  test('again and again is two entries, and a number', async () => {
    for (let i = 0; i < 30; i += 1) await api.rest(owner.token, 'GET', `/cloud/namespaces/none${i}.aaaaa`)
    const seen = await since()
    expect(seen.map(({ repeats }) => repeats)).toEqual([1, 29])
    expect(seen[1]).toMatchObject({ target: { namespace: 'none29.aaaaa' }, details: { firstAt: expect.any(String) } })
  })

  test('sign-up: strangers in the fleet’s chain, who was let in in the new tenant’s', async () => {
    const base = await api.listen()
    const post = (path: string, body: object) =>
      fetch(base + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const { id } = (await (await post('/v1/waitlist', { email: 'a@x.test', company: 'A', useCase: 'u' })).json()) as {
      id: string
    }
    await post('/v1/waitlist', { email: 'nonsense' })
    await post('/v1/invitations/accept', { token: 'secret-guess' })
    const seen = await since()
    expect(seen).toMatchObject([
      {
        interface: 'signup',
        operation: 'POST /v1/waitlist',
        outcome: 'OK',
        chain: '_fleet',
        recorded_by: 'aqueduct_signup',
        target: { waitlistEntryId: id },
      },
      { interface: 'signup', operation: 'POST /v1/waitlist', outcome: 'INVALID_ARGUMENT', chain: '_fleet' },
      { interface: 'signup', operation: 'POST /v1/invitations/accept', outcome: 'UNAUTHENTICATED', chain: '_fleet' },
    ])
    expect(JSON.stringify(seen)).not.toContain('secret-guess')
  })
})

describe('GetAuditLogs', () => {
  test('fills every field of a record, over both transports', async () => {
    const made = await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('shown'))
    await api.rest(owner.token, 'GET', '/cloud/namespaces/none.ccccc')
    const written = (await since()).filter(({ chain }) => chain === 'aaaaa')
    const start = written[0].emit_time.toISOString()
    const { body } = await api.rest(owner.token, 'GET', `/cloud/audit-logs?startTimeInclusive=${start}`)
    expect(body.logs).toMatchObject([
      {
        emitTime: expect.stringMatching(/Z$/),
        operation: 'CreateServiceAccountAPI',
        status: 'OK',
        version: 1,
        logId: `log-aaaaa-${String(written[0].seq).padStart(12, '0')}`,
        principal: { type: 'user', id: owner.id, name: `${owner.id}@example.test`, apiKeyId: owner.keyId },
        xForwardedFor: '127.0.0.1',
        asyncOperationId: made.body.asyncOperation.id,
        rawDetails: {
          outcome: 'OK',
          interface: 'cloud_rest',
          target: { resourceId: made.body.serviceAccountId },
          repeats: 1,
          sequence: Number(written[0].seq),
          hash: written[0].hash.toString('hex'),
        },
      },
      { operation: 'GetNamespaceAPI', status: 'ERROR', rawDetails: { outcome: 'NOT_FOUND' } },
    ])
    const { logs } = await api.grpc(owner.token, 'GetAuditLogs', { pageSize: 1000 })
    expect(logs?.at(-1)).toMatchObject({
      operation: 'GetNamespaceAPI',
      principal: { apiKeyId: owner.keyId },
      rawDetails: { fields: { outcome: { stringValue: 'NOT_FOUND' } } },
    })
  })

  test('pages through everything once, in order, while more is written', async () => {
    const all = (await entries()).filter(({ chain }) => chain === 'aaaaa').map(({ seq }) => Number(seq))
    const seen: number[] = []
    let token = ''
    do {
      const url = `/cloud/audit-logs?pageSize=5&pageToken=${encodeURIComponent(token)}`
      const { body } = await api.rest(owner.token, 'GET', url)
      seen.push(...body.logs.map((log: { rawDetails: { sequence: number } }) => log.rawDetails.sequence))
      token = body.nextPageToken ?? ''
      if (seen.length === 5) await api.rest(owner.token, 'POST', '/cloud/service-accounts', account('meanwhile'))
    } while (token !== '')
    expect(seen).toEqual([...all, Math.max(...all) + 1])
  })

  test('keeps to its times: the last 30 days by default, start included and end excluded', async () => {
    const rows = (await entries()).filter(({ chain }) => chain === 'aaaaa')
    const list = async (query: string) =>
      (await api.rest(owner.token, 'GET', `/cloud/audit-logs?pageSize=1000&${query}`)).body.logs?.length ?? 0
    const middle: Date = rows[2].emit_time
    const before = rows.filter(({ emit_time: time }) => time < middle).length
    expect(await list(`endTimeExclusive=${middle.toISOString()}`)).toBe(before)
    expect(await list(`startTimeInclusive=${middle.toISOString()}`)).toBe(rows.length - before)
    expect(await list('')).toBe(rows.length)
    const old = await api.newTenant('ccccc')
    for (const name of ['old', 'new']) await api.rest(old.token, 'POST', '/cloud/service-accounts', account(name))
    await api.admin.query(`set session_replication_role = replica;
      update audit_entries set emit_time = emit_time - interval '31 days' where chain = 'ccccc' and seq = 1;
      set session_replication_role = origin`)
    const shown = await api.rest(old.token, 'GET', '/cloud/audit-logs')
    expect(shown.body.logs).toMatchObject([{ rawDetails: { target: { name: 'new' } } }])
    for (const query of [
      'startTimeInclusive=2026-02-02T00:00:00Z&endTimeExclusive=2026-01-01T00:00:00Z',
      'pageSize=-1',
      'pageToken=x',
    ]) {
      expect((await api.rest(owner.token, 'GET', `/cloud/audit-logs?${query}`)).status).toBe(400)
    }
  })

  test('shows nobody another tenant’s, nor lets a small role or a stranger see any', async () => {
    const { body } = await api.rest(neighbour.token, 'GET', '/cloud/audit-logs?pageSize=1000')
    expect(JSON.stringify(body)).not.toContain('aaaaa')
    const page = (await api.rest(owner.token, 'GET', '/cloud/audit-logs?pageSize=1')).body.nextPageToken
    const stolen = await api.rest(neighbour.token, 'GET', `/cloud/audit-logs?pageToken=${encodeURIComponent(page)}`)
    expect(stolen.status).toBe(400)
    for (const role of ['developer', 'read', 'metrics_read']) {
      const { token } = await api.newUser('aaaaa', role)
      expect([403, 404]).toContain((await api.rest(token, 'GET', '/cloud/audit-logs')).status)
    }
    expect((await api.rest('', 'GET', '/cloud/audit-logs')).status).toBe(401)
  })
})

test('after all of this every chain is whole', async () => {
  await api.audit.flush()
  const admin = new Database({ url: api.testDatabase.adminUrl, poolSize: 1, applicationName: 'verify' })
  try {
    for (const chain of ['aaaaa', 'bbbbb', '_fleet']) {
      expect(await verifyAuditChain(admin, chain, undefined)).toHaveProperty('head')
    }
  } finally {
    await admin.close()
  }
})
