/** `iss` and `aud` of API keys. */
export const apiKeyIssuer = 'aqueduct'
export const apiKeyAudience = 'aqueduct'
