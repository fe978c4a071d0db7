import { Counter, type Registry } from '#libs/telemetry'

/** Counts what becomes of rollouts. */
export function rolloutMetrics(registry: Registry) {
  const rollouts = new Counter({
    name: 'aqueduct_provisioner_rollouts_total',
    help: 'Rollouts that were done, that turned back because of failing health, and that were rolled back',
    labelNames: ['outcome'],
    registers: [registry],
  })
  return (outcome: 'done' | 'rolled_back' | 'turned_back') => rollouts.inc({ outcome })
}
