/** Every IAM action that DNS needs, and all that `infra/` allows: the adapter can send no other. */
export const route53Calls = ['route53:ListResourceRecordSets', 'route53:ChangeResourceRecordSets'] as const

/** Names of the calls without the service: what the adapter is made of. */
export type Route53Call = (typeof route53Calls)[number] extends `route53:${infer Call}` ? Call : never
