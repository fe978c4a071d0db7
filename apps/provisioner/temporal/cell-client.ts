import type { CellReplication } from './cell-replication.ts'

/**
 * What the provisioner asks of one cell, over the cell's own API. Every method can be called again after a lost answer:
 * a repeated register says `exists`, a repeated delete `not_found`.
 */
export interface CellClient {
  /** Resolves when the frontend serves. @throws CellError */
  health(): Promise<void>
  /** Resolves when the services behind the frontend answer, too: history, matching and the database. @throws CellError */
  probe(): Promise<{ readonly serverVersion: string }>
  /**
   * Usable as soon as this returns, unless the name was asked for in the second before: never probe a name first.
   * @throws CellError of kind `exists`
   */
  registerNamespace(namespace: NewCellNamespace): Promise<void>
  /** @throws CellError of kind `not_found` */
  describeNamespace(name: string): Promise<CellNamespace>
  /** Every frontend acts on it within two seconds (`system.namespaceCacheRefreshInterval`). @throws CellError of kind `not_found` */
  updateNamespace(name: string, change: CellNamespaceChange): Promise<void>
  /** The name is gone when this returns; the cell removes the data afterwards. @throws CellError of kind `not_found` */
  deleteNamespace(name: string): Promise<void>
  /** All namespaces but the cell's own. */
  listNamespaces(): Promise<readonly CellNamespace[]>
  /** Acts on every host within two seconds. @throws CellError of kind `exists` */
  registerNexusEndpoint(endpoint: { readonly name: string; readonly url: string }): Promise<void>
  /** @throws CellError of kind `not_found` */
  deleteNexusEndpoint(name: string): Promise<void>
  listNexusEndpoints(): Promise<readonly CellNexusEndpoint[]>
  /** What it takes to move a namespace to another cell. */
  readonly replication: CellReplication
  close(): void
}

/** An endpoint as a cell knows it: one of a name, whoever calls by it. */
export interface CellNexusEndpoint {
  /** The cell's own id of it, a UUID. */
  readonly id: string
  readonly version: number
  readonly name: string
  /** Empty when its target is no URL. */
  readonly url: string
}

export interface NewCellNamespace {
  readonly name: string
  /** Days that closed workflows are kept, 1 or more. */
  readonly retentionDays: number
  readonly description: string
  /** Ours to fill: who owns it and under which generation, so that a collector can tell. */
  readonly data: Readonly<Record<string, string>>
}

export interface CellNamespaceChange {
  readonly retentionDays?: number
  readonly description?: string
  /** Keys that are named are set, others stay. */
  readonly data?: Readonly<Record<string, string>>
  /**
   * Column → name of a search attribute; an empty name takes the name away. Columns that are not named keep theirs; one
   * that has a name gets no other before that is taken away.
   */
  readonly aliases?: Readonly<Record<string, string>>
}

export interface CellNamespace {
  /** The cell's own id of it, a UUID. */
  readonly id: string
  readonly name: string
  readonly state: 'registered' | 'deprecated' | 'deleted'
  readonly retentionDays: number
  readonly description: string
  readonly data: Readonly<Record<string, string>>
  /** Column → name of each search attribute. */
  readonly aliases: Readonly<Record<string, string>>
}

/**
 * `unavailable`: ask again later, and whether the call had its effect is not known. `denied`: the cell does not accept
 * the token. `invalid`: the same call can never succeed.
 */
export type CellErrorKind = 'not_found' | 'exists' | 'unavailable' | 'denied' | 'invalid' | 'unknown'

/** Never reaches a caller: a reconciler turns it into a delay, a condition, or an operation's failure reason. */
export class CellError extends Error {
  override readonly name = 'CellError'
  readonly kind: CellErrorKind

  constructor(kind: CellErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
