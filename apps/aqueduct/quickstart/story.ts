import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ClientCertificate, certificateForOwnKey, certificateWithKey } from './certificates.ts'
import { proveIsolation } from './isolation.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import type { Narrator } from './narrator.ts'
import { runSample } from './run-sample.ts'
import { acceptInvitation, approve, joinWaitlist, type Person, type Tenant } from './sign-up.ts'
import type { World } from './world.ts'

export const storySteps = 8

/** Who the story left behind, for a person to go on with. */
export interface Ending {
  readonly tenant: Tenant
  readonly namespace: Namespace
  readonly certificate: ClientCertificate
}

/**
 * From a stranger on the waitlist to a workflow's result, and the proof that strangers stay out: each step through a
 * public interface. People are new in every run.
 * @throws StepFailed
 */
export async function tellStory(world: World, narrator: Narrator): Promise<Ending> {
  const { running } = world
  const { https } = running.addresses
  const log = (name: string): string => join(running.dataDirectory, 'log', `${name}.log`)
  const nodeLogs = join(running.dataDirectory, 'nodes', '*', 'log')
  const run = randomBytes(3).toString('hex')
  const ada = person(`ada-${run}@example.com`, `Ada ${run}`)

  const entryId = await narrator.step(
    { title: 'Somebody joins the waitlist', lookAt: [log('api')] },
    async (telling) => await joinWaitlist(world, ada, telling),
  )
  const mailFile = await narrator.step(
    { title: 'The operator, by client certificate, lists the waitlist and approves', lookAt: [log('api')] },
    async (telling) => await approve(world, ada, entryId, telling),
  )
  const tenant = await narrator.step(
    { title: 'The invitation is accepted', lookAt: [mailFile, log('api')] },
    async (telling) => await acceptInvitation(world, mailFile, telling),
  )
  const region = await narrator.step(
    { title: 'The API key works on the Cloud Ops API', lookAt: [log('api')] },
    async (telling) => {
      const { apiKeyFile } = tenant
      const call = <Answer>(path: string) =>
        world.api.call<Answer>({ url: `${https}/cloud/${path}`, apiKeyFile }, telling)
      const { user } = await call<{ user: { id: string; spec: { email: string } } }>('current-identity')
      if (user.id !== tenant.userId) throw new Error(`the key is said to be ${user.id}'s, but is ${tenant.userId}'s`)
      const { regions } = await call<{ regions: { id: string; location: string }[] }>('regions')
      telling.result(`it is the key of ${user.spec.email}; regions: ${regions.map(({ id }) => id).join(', ')}`)
      const [first] = regions
      if (first === undefined) throw new Error('there is no region: see AQUEDUCT_REGIONS')
      return first.id
    },
  )
  const certificates = await narrator.step(
    { title: "The operator issues client certificates from the tenant's own CA", lookAt: [log('api')] },
    async (telling) => ({
      certificate: await certificateForOwnKey(world, tenant, 'worker', telling),
      spareCertificate: await certificateWithKey(world, tenant, 'spare', telling),
    }),
  )
  const { certificate, spareCertificate } = certificates
  const namespace = await narrator.step(
    { title: 'A namespace is created, for certificates and API keys', lookAt: [log('provisioner'), nodeLogs] },
    async (telling) => await createNamespace(world, tenant, region, certificate, telling),
  )
  await narrator.step(
    { title: 'A worker and a client run a workflow through the edge', lookAt: [nodeLogs, log('edge')] },
    async (telling) => {
      await runSample(world, namespace, { certificate }, telling)
      await runSample(world, namespace, { tenant }, telling)
    },
  )
  await narrator.step(
    { title: 'Nobody else gets in: one call to that namespace, made by strangers', lookAt: [nodeLogs, log('edge')] },
    async (telling) =>
      await proveIsolation(
        world,
        { tenant, spareCertificate, namespace },
        person(`eve-${run}@example.com`, `Eve ${run}`),
        telling,
      ),
  )
  return { tenant, namespace, certificate }
}

function person(email: string, company: string): Person {
  return { email, company, useCase: 'To see what it does' }
}
