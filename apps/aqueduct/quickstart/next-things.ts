import { commandText } from './command-text.ts'
import { edgeArguments, sampleCommand } from './run-sample.ts'
import type { Ending } from './story.ts'
import { operatorOf, type World } from './world.ts'

/** What a person may do with what the story left behind: where everything lies, and three commands. */
export function nextThings(world: World, ending: Ending, temporal: string): string {
  const { shown, running } = world
  const { tenant, namespace, certificate } = ending
  const { endpoint, id } = namespace
  const operator = operatorOf(world)
  const list = commandText([
    `${temporal} workflow list --address ${endpoint.host}:${endpoint.port}`,
    `--namespace ${id}`,
    `--tls-server-name ${endpoint.serverName}`,
    `--tls-ca-path ${shown(running.credentials.caFile)}`,
    `--tls-cert-path ${shown(certificate.certificateFile)}`,
    `--tls-key-path ${shown(certificate.keyFile)}`,
  ])
  const revoke = commandText([
    `curl --cacert ${shown(running.credentials.caFile)} --cert ${shown(operator.certificateFile)}`,
    `--key ${shown(operator.keyFile)} -X POST`,
    `${running.addresses.operator}/operator/v1/certificates/${certificate.id}/revoke`,
  ])
  return `\
  tenant          ${tenant.id}: its API key, certificates and keys are in ${shown(tenant.directory)}
  namespace       ${id}, at ${endpoint.host}:${endpoint.port} as ${endpoint.serverName}

Next things to try:
1. See the workflows that ran, or do anything else that the \`temporal\` command can:
${indented(list)}
2. Change apps/aqueduct/quickstart/sample/workflows.ts and run it again:
${indented(sampleCommand(world, [...edgeArguments(world, namespace), ['--api-key-file', tenant.apiKeyFile]]))}
3. Revoke the certificate: within 5 s the edge refuses 1, and still takes 2, which has the API key.
${indented(revoke)}`
}

function indented(command: string): string {
  return command.replaceAll(/^/gm, '  ')
}
