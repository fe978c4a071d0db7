import { cloud, type temporal } from '#libs/cloud-api'
import type { Region } from '#libs/config'
import type { HandlersOf } from '../operations/wire.ts'

export type RegionHandlers = HandlersOf<'GetRegions' | 'GetRegion'>

const { CloudProvider } = cloud.region.v1.Region

/** By the first part of a region id. The contract knows two; others are named in the text field alone. */
const providers: Readonly<Record<string, number>> = {
  aws: CloudProvider.CLOUD_PROVIDER_AWS,
  gcp: CloudProvider.CLOUD_PROVIDER_GCP,
}

/** `aws-us-east-1` is the region `us-east-1` of `aws`. */
export function regionToWire(region: Region): temporal.api.cloud.region.v1.IRegion {
  const dash = region.id.indexOf('-')
  const provider = region.id.slice(0, dash)
  return {
    id: region.id,
    cloudProvider: providers[provider] ?? CloudProvider.CLOUD_PROVIDER_UNSPECIFIED,
    cloudProviderDeprecated: provider,
    cloudProviderRegion: region.id.slice(dash + 1),
    location: region.location,
  }
}
