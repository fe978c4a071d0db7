import { staleVersion } from '#libs/store'

/**
 * For changes that look at the present row before they write: what they find wrong there may be somebody else's change.
 * @param noun as it is called in the error.
 * @throws AppError `precondition` when the caller's resource version is not the latest.
 */
export function assertVersion(noun: string, row: { readonly resource_version: number }, version: string): void {
  if (String(row.resource_version) !== version) throw staleVersion(noun, version, row.resource_version)
}
