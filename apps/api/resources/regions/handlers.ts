import { authorize } from '#libs/authz'
import { notFound } from '#libs/base'
import type { Region } from '#libs/config'
import { memberOf } from '../../auth/member.ts'
import { type RegionHandlers, regionToWire } from './wire.ts'

/** Regions are settings, the same for every tenant. */
export function regionHandlers({ regions }: { readonly regions: readonly Region[] }): RegionHandlers {
  return {
    async GetRegions({ claims }) {
      authorize(claims, 'region', 'list', { tenantId: memberOf(claims).tenantId })
      return { regions: regions.map(regionToWire) }
    },
    async GetRegion({ claims }, request) {
      authorize(claims, 'region', 'read', { tenantId: memberOf(claims).tenantId })
      const region = regions.find(({ id }) => id === request.region)
      if (region === undefined) throw notFound('region', request.region ?? '')
      return { region: regionToWire(region) }
    },
  }
}
