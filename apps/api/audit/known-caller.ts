/** Whom a good signature names, even though the call is refused: the token is expired or revoked, or comes too often. */
export interface KnownCaller {
  readonly tenantId: string
  readonly principalId: string
  readonly keyId: string
}

const callers = new WeakMap<Error, KnownCaller>()

/** Says of a refusal whom it is about, for the audit log alone: callers are not told. */
export function refusedTo<Refusal extends Error>(caller: KnownCaller, refusal: Refusal): Refusal {
  const { tenantId, principalId, keyId } = caller
  callers.set(refusal, { tenantId, principalId, keyId })
  return refusal
}

export function callerRefused(error: Error): KnownCaller | undefined {
  return callers.get(error)
}
