/**
 * What the discovery server (`apps/edge`) sends to a node agent (`apps/node`), which writes it below the node's
 * folder as the last known good copy for Envoy to watch: routes first, then the listeners that name them.
 *
 * `GET /v1/cells/{cell}/edge` with `If-None-Match` and `Prefer: wait=<seconds>` answers 304 when nothing changed in
 * that time, else 200 with this document and its `ETag`.
 */
export interface EdgeDocument {
  /** Content hash; also the ETag. */
  readonly version: string
  /** An Envoy DiscoveryResponse of listeners, for `edge/lds.json`. */
  readonly listeners: unknown
  /** File name (`<namespace>@<chain hash>.json`) → DiscoveryResponse of one RouteConfiguration, for `edge/routes/`. */
  readonly routes: Readonly<Record<string, unknown>>
}
