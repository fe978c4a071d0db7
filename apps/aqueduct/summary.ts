import { join } from 'node:path'
import type { Running } from './launch.ts'

/** What a person wants to know once everything is up. */
export function summary({ addresses, credentials, dataDirectory, operatorProblem }: Running): string {
  return `
Aqueduct is ready.

  Cloud Ops API   ${addresses.http}  ${addresses.https}
  gRPC            ${addresses.grpc} (plaintext)  ${addresses.grpcTls} (TLS)
  operator API    ${addresses.operator} (client certificate)

  CA              ${credentials.caFile}
  operator        ${credentials.operatorCertificateFile}
                  ${credentials.operatorKeyFile}
  logs            ${join(dataDirectory, 'log')}
  addresses       ${join(dataDirectory, 'addresses.json')}${operatorProblem === undefined ? '' : `\n\n  ! ${operatorProblem}`}`
}
