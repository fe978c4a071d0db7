import { escapePattern } from './text-pattern.ts'

const workflowService = escapePattern('/temporal.api.workflowservice.v1.WorkflowService/')

/**
 * Methods that change namespaces or show those of others. Whatever a token allows, they are the control plane's
 * (`<ns>:write` does not permit them on a cell; this is the second wall). In any spelling of their case.
 */
const namespaceMethods = [
  'RegisterNamespace',
  'UpdateNamespace',
  'DeprecateNamespace',
  'ListNamespaces',
  'DeleteNamespace',
]

/**
 * The whole `:path`, query included, of what is forwarded. Written as it must be: no encoded characters, no second
 * slash, no query. What does not match is answered here.
 */
export const forwardedPath = `${workflowService}[A-Za-z0-9]+|${escapePattern('/grpc.health.v1.Health/')}(?:Check|Watch)`

/** Paths whose refusal is worth an explanation. */
export const refusedPath = `(?i)${workflowService}(?:${namespaceMethods.join('|')})(?:[?#/].*)?|/temporal\\.(?:api\\.operatorservice|server\\.api\\.adminservice)\\..*`

/** What the provisioner's probe may call, with the read token. */
export const probedPath = `${workflowService}(?:DescribeNamespace|GetSystemInfo)`
