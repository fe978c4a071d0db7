import { Counter, Histogram, type Registry } from '#libs/telemetry'

/** Told of everything that ended: how many seconds it took, and how it went. */
export type Timings = (what: string, seconds: number, outcome: 'ok' | 'failed') => void

interface Metric {
  readonly name: string
  readonly help: string
}

/** Of outward calls, by their step. */
export function stepTimings(registry: Registry): Timings {
  return timings(registry, 'step', {
    seconds: { name: 'aqueduct_provisioner_step_seconds', help: 'Outward calls of reconcilers and collectors' },
    failures: { name: 'aqueduct_provisioner_step_failures_total', help: 'Outward calls that failed' },
  })
}

/** Of rounds, by their name. */
export function roundTimings(registry: Registry): Timings {
  const observe = timings(registry, 'kind', {
    seconds: {
      name: 'aqueduct_provisioner_sweep_seconds',
      help: 'Rounds over the fleet, from the first row to the last',
    },
    failures: { name: 'aqueduct_provisioner_sweep_failures_total', help: 'Rounds over the fleet that ended early' },
  })
  return (name, seconds, outcome) => observe(name.replaceAll(' ', '-'), seconds, outcome)
}

function timings(
  registry: Registry,
  label: string,
  metrics: { readonly seconds: Metric; readonly failures: Metric },
): Timings {
  const labelNames = [label]
  const registers = [registry]
  const buckets = [0.005, 0.02, 0.1, 0.5, 2, 10, 60]
  const seconds = new Histogram({ ...metrics.seconds, labelNames, buckets, registers })
  const failures = new Counter({ ...metrics.failures, labelNames, registers })
  return (what, duration, outcome) => {
    seconds.observe({ [label]: what }, duration)
    if (outcome === 'failed') failures.inc({ [label]: what })
  }
}
