import { App, type AppProps, Tags } from 'aws-cdk-lib'
import { ControlPlaneStack } from './control-plane/control-plane-stack.ts'
import { DataStack } from './data/data-stack.ts'
import { EncryptionKey } from './data/encryption-key.ts'
import { ImageStack } from './image/image-stack.ts'
import type { Installation } from './installation.ts'
import { names } from './names.ts'
import { NetworkStack } from './network/network-stack.ts'
import { RegionStack } from './region/region-stack.ts'

export interface Infra {
  readonly app: App
  readonly encryption: EncryptionKey
  readonly network: NetworkStack
  readonly data: DataStack
  readonly image: ImageStack
  readonly region: RegionStack
  readonly controlPlane: ControlPlaneStack
}

/** Every stack of one installation, in the order in which they are deployed. */
export function buildInfra(installation: Installation, props?: AppProps): Infra {
  const app = new App({ ...props, analyticsReporting: false })
  const env = { account: installation.account, region: installation.awsRegion }
  const common = { env, installation, terminationProtection: true }
  const named = (part: string): string => `aqueduct-${installation.installation}-${part}`
  const encryption = new EncryptionKey(app, named('key'), common)
  const network = new NetworkStack(app, named('network'), { ...common, encryption })
  const data = new DataStack(app, named('data'), { ...common, encryption, network })
  const image = new ImageStack(app, named('image'), { ...common, encryption, network })
  const region = new RegionStack(app, named('region'), { ...common, encryption, network, data })
  const controlPlane = new ControlPlaneStack(app, named('control-plane'), {
    ...common,
    ...{ encryption, network, data, region },
  })
  // Its machines start from the newest image: there has to be one.
  controlPlane.addStackDependency(image)
  Tags.of(app).add(names(installation.installation).infraTag, installation.installation)
  return { app, encryption, network, data, image, region, controlPlane }
}
