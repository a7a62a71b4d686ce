export const WOVEN: Readonly<Record<string, readonly string[]>>
