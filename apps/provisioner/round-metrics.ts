import { Counter, Histogram, type Registry } from '#libs/telemetry'

/** Told of each round that ended. */
export type RoundMetrics = (name: string, seconds: number, outcome: 'ok' | 'failed') => void

export function roundMetrics(registry: Registry): RoundMetrics {
  const seconds = new Histogram({
    name: 'aqueduct_provisioner_sweep_seconds',
    help: 'Rounds over the fleet, from the first row to the last',
    labelNames: ['kind'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'aqueduct_provisioner_sweep_failures_total',
    help: 'Rounds over the fleet that ended early',
    labelNames: ['kind'],
    registers: [registry],
  })
  return (name, duration, outcome) => {
    const kind = name.replaceAll(' ', '-')
    seconds.observe({ kind }, duration)
    if (outcome === 'failed') failures.inc({ kind })
  }
}
