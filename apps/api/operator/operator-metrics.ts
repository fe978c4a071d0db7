import type { Clock } from '#libs/base'
import type { Database } from '#libs/store'
import { lastAdminCertificateEnd } from '#libs/store/operators'
import { Gauge, type Registry } from '#libs/telemetry'

const dayMs = 24 * 60 * 60 * 1000

/** Read when asked for; not a number while the database does not answer. */
export function operatorMetrics(registry: Registry, database: Database, clock: Clock): void {
  new Gauge({
    name: 'aqueduct_operator_admin_certificate_days',
    help: 'Days until the last certificate of an admin ends, and no operator can issue another',
    registers: [registry],
    async collect() {
      try {
        const end = await lastAdminCertificateEnd(database.all)
        this.set(end === undefined ? 0 : (end.getTime() - clock.now().getTime()) / dayMs)
      } catch {
        this.set(Number.NaN)
      }
    },
  })
}
