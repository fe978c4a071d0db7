/** RFC 7644, 3.1; clients may send and accept plain `application/json` as well. */
export const scimMediaType = 'application/scim+json; charset=utf-8'
