import type { DataStack } from '../data/data-stack.ts'
import { programFolder } from '../image/paths.ts'
import type { Installation } from '../installation.ts'
import type { PartSettings } from '../instance/part-environment.ts'
import { controlPlanePorts } from '../network/control-plane-ports.ts'

export interface PartSettingsOptions {
  readonly installation: Installation
  readonly data: DataStack
  /** One entry of AQUEDUCT_REGIONS, as JSON. */
  readonly regionSettings: string
  /** Where nodes find discovery and join. */
  readonly discoveryHost: string
  readonly callersHost: string
  readonly operatorsHost: string
}

/** Where parts on machines of their own keep what they write. */
const dataFolder = '/var/lib/aqueduct'
/** For tools on the machine itself: the default is the join listener's. */
const edgeHealthPort = 7098

/** The settings of the parts, as `docs/configuration.md` has them; what is not here is as by default. */
export function partSettings(
  options: PartSettingsOptions,
): Readonly<Record<'api' | 'provisioner' | 'edge', PartSettings>> {
  const { installation, data, regionSettings, discoveryHost, callersHost, operatorsHost } = options
  const { discovery, join } = controlPlanePorts
  const everywhere = '0.0.0.0'
  const common = { AQUEDUCT_DATABASE_URL: data.product.url, AQUEDUCT_DOMAIN: installation.domain }
  const regions = { AQUEDUCT_REGIONS: `[${regionSettings}]` }
  return {
    api: {
      environment: {
        ...common,
        ...regions,
        AQUEDUCT_DATA_DIR: dataFolder,
        AQUEDUCT_API_LISTEN: everywhere,
        AQUEDUCT_OPERATOR_LISTEN: everywhere,
        AQUEDUCT_API_NAMES: ['localhost', '127.0.0.1', installation.apiName, callersHost, operatorsHost].join(','),
        AQUEDUCT_PUBLIC_URL: `https://${installation.apiName}`,
        AQUEDUCT_MAIL_FROM: installation.mailFrom,
      },
      secretUrls: { AQUEDUCT_SMTP_URL: { secret: data.smtpUrl.secretArn, schemes: ['smtp:', 'smtps:'] } },
    },
    provisioner: {
      environment: {
        ...common,
        ...regions,
        AQUEDUCT_DATA_DIR: dataFolder,
        AQUEDUCT_DISCOVERY_HOST: discoveryHost,
        AQUEDUCT_DISCOVERY_PORT: String(discovery),
        TEMPORAL_SERVER: `${programFolder}/temporal-server`,
        TEMPORAL_SQL_TOOL: `${programFolder}/temporal-sql-tool`,
        ENVOY: `${programFolder}/envoy`,
      },
      owners: {
        AQUEDUCT_CELL_DATABASE_URL: {
          url: data.cells.url,
          secret: data.cells.secret.secretArn,
          file: 'provisioner.env',
        },
        DATABASE_URL: { url: data.product.url, secret: data.product.secret.secretArn, file: 'prepare.env' },
      },
    },
    edge: {
      environment: {
        ...common,
        AQUEDUCT_EDGE_LISTEN: everywhere,
        AQUEDUCT_DISCOVERY_PORT: String(discovery),
        AQUEDUCT_JOIN_PORT: String(join),
        AQUEDUCT_DISCOVERY_NAMES: ['localhost', '127.0.0.1', discoveryHost].join(','),
        AQUEDUCT_EDGE_HEALTH_PORT: String(edgeHealthPort),
      },
    },
  }
}
