/** TCP ports of the control plane's parts, as their settings have them by default. */
export const controlPlanePorts = Object.freeze({
  /** REST over HTTPS. */
  https: 7443,
  /** gRPC with TLS. */
  grpcTls: 7073,
  operator: 7444,
  discovery: 7095,
  join: 7097,
  postgres: 5432,
})
