import { Counter, type Registry } from '#libs/telemetry'

/** Counts launches that were refused, by their reason. */
export function launchMetrics(registry: Registry): (reason: string) => void {
  const refused = new Counter({
    name: 'aqueduct_provisioner_launches_refused_total',
    help: 'Machines that were not launched because a cell or region is full, or because the last ones died',
    labelNames: ['reason'],
    registers: [registry],
  })
  return (reason) => refused.inc({ reason })
}
