export { type HealthServerOptions, startHealthServer } from './health-server.ts'
export { createLogger, type Logger } from './logger.ts'
export { Counter, createMetrics, Gauge, Histogram, Registry } from './metrics.ts'
