export const EXAMPLE_IMAGE: string
export function ensureExampleImage(socketPath: string, options?: { log?: (message: string) => void }): Promise<string>
