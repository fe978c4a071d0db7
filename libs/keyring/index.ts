export { type OpenAuthority, openAuthority } from './authorities.ts'
export { type OpenSigningKey, openSigningKey, readJwks } from './signing-keys.ts'
