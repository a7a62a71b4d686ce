/** A time in whole seconds and UTC, as SOPS and age-keygen write it. Takes milliseconds since 1970. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
