/** The OpenAPI document of the operator API: who calls it shows a certificate, not a bearer token. */
export function operatorDocument(document: object): object {
  const { components, info } = document as { readonly components?: object; readonly info?: object }
  const mutualTls = { type: 'mutualTLS', description: 'A client certificate of the operator CA' }
  return {
    ...document,
    info: { ...info, title: 'Aqueduct operator API' },
    security: [{ mutualTls: [] }],
    components: { ...components, securitySchemes: { mutualTls } },
  }
}
