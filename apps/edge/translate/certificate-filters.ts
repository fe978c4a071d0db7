import type { CertificateFilter } from '#libs/domain/edges'
import { extension, type Proto } from './envoy.ts'
import { internalHeaders } from './internal-headers.ts'
import { subjectPattern } from './subject-pattern.ts'
import { anyCase } from './text-pattern.ts'

const principalType = 'envoy.extensions.rbac.principals.mtls_authenticated.v3.Config'
const alternativeNames = ['DNS', 'URI', 'EMAIL', 'IP_ADDRESS'] as const

/**
 * Refuses a call that stands on a certificate which none of the filters matches. A call with a good API key does not
 * stand on its certificate. Alternative names are matched one by one, by Envoy itself: joined into one text, a URI with a
 * comma in it would look like two.
 * @throws Error for a filter with no field, which would let everybody in.
 */
export function certificateFilterFilter(filters: readonly CertificateFilter[]): Proto {
  return extension('envoy.filters.http.rbac', 'envoy.extensions.filters.http.rbac.v3.RBAC', {
    rules: {
      action: 'DENY',
      policies: {
        certificate_filters: {
          permissions: [{ any: true }],
          principals: [
            {
              and_ids: {
                ids: [
                  certificate({ any_validated_client_certificate: true }),
                  without(internalHeaders.principal),
                  without(internalHeaders.probe),
                  { not_id: { or_ids: { ids: filters.map(filterPrincipal) } } },
                ],
              },
            },
          ],
        },
      },
    },
  })
}

function filterPrincipal(filter: CertificateFilter): Proto {
  const ids = [
    ...subject('CN', filter.commonName),
    ...subject('O', filter.organization),
    ...subject('OU', filter.organizationalUnit),
    ...alternativeName(filter.subjectAlternativeName),
  ]
  if (ids.length === 0) throw new Error('a certificate filter has no field')
  return { and_ids: { ids } }
}

function subject(attribute: 'CN' | 'O' | 'OU', value: string): readonly Proto[] {
  if (value === '') return []
  const regex = subjectPattern(attribute, value)
  return [{ header: { name: internalHeaders.subject, string_match: { safe_regex: { regex } } } }]
}

function alternativeName(value: string): readonly Proto[] {
  if (value === '') return []
  const matcher = { safe_regex: { regex: alternativeNamePattern(value) } }
  const ids = alternativeNames.map((san_type) => certificate({ san_matcher: { san_type, matcher } }))
  return [{ or_ids: { ids } }]
}

function alternativeNamePattern(value: string): string {
  if (value.startsWith('*')) return `(?s).*${anyCase(value.slice(1))}`
  if (value.endsWith('*')) return `(?s)${anyCase(value.slice(0, -1))}.*`
  return anyCase(value)
}

function certificate(fields: Proto): Proto {
  return { custom: extension('envoy.rbac.principals.mtls_authenticated', principalType, fields) }
}

function without(name: string): Proto {
  return { not_id: { header: { name, present_match: true } } }
}
