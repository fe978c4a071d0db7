/** A certificate is renewed when a third of its life is left: a loop that fails for weeks still has time. */
export function needsRenewal(certificate: { readonly not_before: Date; readonly not_after: Date }, now: Date): boolean {
  const life = certificate.not_after.getTime() - certificate.not_before.getTime()
  return certificate.not_after.getTime() - now.getTime() < life / 3
}
