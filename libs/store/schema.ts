import type { Generated } from 'kysely'
import type { ApiKeysTable } from './api-keys/table.ts'
import type { AuditChainsTable, AuditEntriesTable } from './audit/table.ts'
import type { CellsTable } from './cells/table.ts'
import type { CertificateAuthoritiesTable, CertificatesTable } from './certificates/table.ts'
import type { ConnectivityRulesTable } from './connectivity-rules/table.ts'
import type { CustomRolesTable, PrincipalCustomRolesTable } from './custom-roles/table.ts'
import type { InstallationTable } from './installation/table.ts'
import type { InvitationsTable } from './invitations/table.ts'
import type { MovesTable } from './moves/table.ts'
import type { NamespaceGrantsTable, NamespacesTable } from './namespaces/table.ts'
import type { NexusEndpointsTable } from './nexus-endpoints/table.ts'
import type { NodeLaunchesTable } from './node-launches/table.ts'
import type { NodeJoinsTable, NodeManifestsTable, NodeReportsTable } from './node-mail/table.ts'
import type { NodesTable } from './nodes/table.ts'
import type { OperationsTable } from './operations/table.ts'
import type { OperatorsTable } from './operators/table.ts'
import type { RequestBucketsTable } from './request-leases/table.ts'
import type { RolloutCellsTable, RolloutsTable } from './rollouts/table.ts'
import type { ServiceAccountsTable } from './service-accounts/table.ts'
import type { CollectedTable, SightingsTable } from './sightings/table.ts'
import type { SigningKeysTable } from './signing-keys/table.ts'
import type { SweepsTable } from './sweeps/table.ts'
import type { TenantsTable } from './tenants/table.ts'
import type { UserGroupMembersTable, UserGroupsTable } from './user-groups/table.ts'
import type { UserInvitationsTable, UsersTable } from './users/table.ts'
import type { WaitlistEntriesTable } from './waitlist/table.ts'

/** Every table, for Kysely. The golden `schema.sql` shows what the migrations make of them. */
export interface Schema {
  readonly api_keys: ApiKeysTable
  readonly audit_chains: AuditChainsTable
  readonly audit_entries: AuditEntriesTable
  readonly cells: CellsTable
  readonly certificate_authorities: CertificateAuthoritiesTable
  readonly certificates: CertificatesTable
  readonly collected: CollectedTable
  readonly connectivity_rules: ConnectivityRulesTable
  readonly custom_roles: CustomRolesTable
  readonly installation: InstallationTable
  readonly invitations: InvitationsTable
  readonly moves: MovesTable
  readonly namespace_grants: NamespaceGrantsTable
  readonly namespaces: NamespacesTable
  readonly nexus_endpoints: NexusEndpointsTable
  readonly node_joins: NodeJoinsTable
  readonly node_launches: NodeLaunchesTable
  readonly node_manifests: NodeManifestsTable
  readonly node_reports: NodeReportsTable
  readonly nodes: NodesTable
  readonly operations: OperationsTable
  readonly operators: OperatorsTable
  readonly principal_custom_roles: PrincipalCustomRolesTable
  readonly request_buckets: RequestBucketsTable
  readonly rollout_cells: RolloutCellsTable
  readonly rollouts: RolloutsTable
  readonly schema_migrations: {
    readonly name: string
    readonly breaking: boolean
    readonly applied_at: Generated<Date>
  }
  readonly service_accounts: ServiceAccountsTable
  readonly sightings: SightingsTable
  readonly signing_keys: SigningKeysTable
  readonly sweeps: SweepsTable
  readonly tenants: TenantsTable
  readonly user_group_members: UserGroupMembersTable
  readonly user_groups: UserGroupsTable
  readonly user_invitations: UserInvitationsTable
  readonly users: UsersTable
  readonly waitlist_entries: WaitlistEntriesTable
}
