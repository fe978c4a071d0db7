/** The ways in that are written down. */
export type AuditInterface = 'cloud_rest' | 'cloud_grpc' | 'operator' | 'signup' | 'scim' | 'edge' | 'launcher'

/** Who did it, as far as it is known. */
export interface AuditPrincipal {
  readonly type: 'user' | 'service_account' | 'operator' | 'system' | 'anonymous'
  /** Principal id or operator's name; empty for somebody unknown. */
  readonly id: string
  /** What people call it. The append function looks a tenant's principals up by itself. */
  readonly name?: string
}

/** What was shown: an id or a fingerprint, never the thing itself. */
export interface AuditCredential {
  readonly kind: 'api_key' | 'certificate' | 'invitation'
  readonly id: string
}

/**
 * What somebody did, or was refused. Facts of the call alone: no secret, no token, and nothing of a request's body but
 * the ids in it. Texts that are too long are cut, see the migration.
 */
export interface AuditEntry {
  /** Whose chain it belongs to; the fleet's when there is none, or when no such tenant exists. */
  readonly tenantId?: string
  readonly interface: AuditInterface
  /** The rpc's name, or verb and route: `POST /operator/v1/tenants/:id/suspend`. */
  readonly operation: string
  readonly principal: AuditPrincipal
  readonly credential?: AuditCredential
  readonly sourceAddress: string
  /** Kind → id: `{ namespaceId: 'payments.a1b2c' }`. */
  readonly target: Readonly<Record<string, string>>
  /** The name of a gRPC status. */
  readonly outcome: string
  readonly reason?: string
  readonly requestId: string
  readonly asyncOperationId?: string
  /** Equal refusals that this one stands for; 1 when left out. */
  readonly repeats?: number
  readonly details?: Readonly<Record<string, string | number | boolean>>
  /** Now, when left out. */
  readonly occurredAt?: Date
}
