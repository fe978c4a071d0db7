import { Client } from 'pg'
import { Database } from '#libs/store'
import { type AuditEntry, type AuditHead, verifyAuditChain } from '#libs/store/audit'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

/** A database of its own with tenants, and pools that are closed with it. */
export class AuditFixture {
  readonly testDatabase: TestDatabase
  readonly admin: Client
  /** Sees everything: it owns the tables. */
  readonly owner: Database
  readonly #pools: Database[] = []
  #made = 0

  private constructor(testDatabase: TestDatabase, admin: Client) {
    this.testDatabase = testDatabase
    this.admin = admin
    this.owner = this.pool(testDatabase.adminUrl, 2)
  }

  static async start(): Promise<AuditFixture> {
    const testDatabase = await createTestDatabase()
    const admin = new Client({ connectionString: testDatabase.adminUrl })
    await admin.connect()
    const fixture = new AuditFixture(testDatabase, admin)
    for (const id of ['aaaaa', 'bbbbb']) await fixture.newTenant(id)
    return fixture
  }

  async close(): Promise<void> {
    for (const each of this.#pools) await each.close()
    await this.admin.end()
    await this.testDatabase.drop()
  }

  pool(url: string, poolSize: number): Database {
    const made = new Database({ url, poolSize, applicationName: 'audit' })
    this.#pools.push(made)
    return made
  }

  async newTenant(id: string): Promise<void> {
    await this.admin.query('insert into tenants (id, name) values ($1, $1)', [id])
    await this.admin.query(
      "insert into users (id, tenant_id, email, account_role) values ('usr-' || $1, $1, $1 || '@x.test', 'owner')",
      [id],
    )
  }

  entry(tenantId: string | undefined, more: Partial<AuditEntry> = {}): AuditEntry {
    this.#made += 1
    return {
      ...(tenantId === undefined ? {} : { tenantId }),
      interface: 'cloud_rest',
      operation: 'CreateNamespace',
      principal: { type: 'user', id: `usr-${tenantId}` },
      credential: { kind: 'api_key', id: 'key-1' },
      sourceAddress: '127.0.0.1',
      target: { namespaceId: `n${this.#made}.${tenantId}` },
      outcome: 'OK',
      requestId: `request-${this.#made}`,
      ...more,
    }
  }

  /** Undefined when the chain is whole. */
  async brokenAt(chain: string, anchor?: AuditHead) {
    const report = await verifyAuditChain(this.owner, chain, anchor)
    return 'broken' in report ? report.broken : undefined
  }

  async headOf(chain: string): Promise<AuditHead> {
    const report = await verifyAuditChain(this.owner, chain, undefined)
    if ('broken' in report) throw new Error(report.broken.problem)
    return report.head
  }
}
