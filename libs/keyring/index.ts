export { apiKeyAudience, apiKeyIssuer } from './api-key-issuer.ts'
export { type OpenAuthority, openAuthority } from './authorities.ts'
export { joinToken } from './join-token.ts'
export { nexusSecret } from './nexus-secret.ts'
export {
  bootstrapOperator,
  issueOperatorCertificate,
  type OperatorCertificate,
  recoverAdmin,
} from './operator-certificate.ts'
export { probeIssuer } from './probe.ts'
export { issueServingCertificate, type ServingCertificate } from './serving-certificate.ts'
export { type OpenSigningKey, openSigningKey, readJwks } from './signing-keys.ts'
export { type TokenSigner, tokenSigner } from './token-signer.ts'
