/** `iss` of the tokens with which the provisioner asks an edge about one namespace; `aud` is that namespace's id. */
export const probeIssuer = 'aqueduct-provisioner'
