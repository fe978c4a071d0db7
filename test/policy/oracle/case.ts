import type { Claims } from '#libs/authz'

/** One thing that is asked about, or one row of a list. */
export interface Thing {
  readonly kind: string
  readonly tenantId: string
  readonly id: string
  /** Of a namespace its own id; of a service account, its key or an operation the namespace that it belongs to; or ''. */
  readonly namespaceId: string
  /** Who has it: a key's owner, an operation's requester; of a principal and an operator itself; or ''. */
  readonly ownerId: string
  readonly ofAccountOwner: boolean
}

export interface Question {
  /** As the oracle calls it: the method, or, for what no method asks alone, the row of the policy. */
  readonly action: string
  readonly resource: string
  readonly rowAction: string
}

export interface Case {
  readonly claims: Claims
  readonly question: Question
  readonly thing: Thing
  /** The tenant that the request is about, as a handler puts it into the target. */
  readonly askedTenantId: string
}
