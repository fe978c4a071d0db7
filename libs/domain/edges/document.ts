/**
 * What the discovery server (`apps/edge`) sends to a node agent (`apps/node`), which writes it below the node's
 * folder as the last known good copy for Envoy to watch: endpoints and routes first, then the listeners that name them.
 *
 * `GET /v1/cells/{cell}/edge` with `If-None-Match` and `Prefer: wait=<seconds>` answers 304 when nothing changed in
 * that time, else 200 with this document and its `ETag`.
 *
 * `GET /v1/cells/{cell}/router` answers alike with what a Nexus router needs: no listeners, and no routes but its own.
 *
 * Each part is one Envoy DiscoveryResponse and one file. Routes are one file for all namespaces, not one each: Envoy
 * takes an inotify instance a watched file, a user has 128 of them by default, and Envoy aborts when they run out
 * (tried: at 125 files). Hence scoped routes, which share one subscription.
 */
export interface EdgeDocument {
  /** Content hash; also the ETag. */
  readonly version: string
  /**
   * Of the Listeners, public and private, for `edge/lds.json`. Their address is `{address}` and their paths begin with
   * `{dir}`: the agent fills them in. A namespace's chain has the namespace's id as its name on each of them.
   */
  readonly listeners: unknown
  /** Of ScopedRouteConfigurations named `<namespace>@<chain hash>`, for `edge/routes.json`. */
  readonly routes: unknown
  /** Of the cell's frontends, for `edge/eds.json` and `edge/eds-http.json`: their gRPC ports, and their HTTP ports. */
  readonly endpoints: unknown
}
