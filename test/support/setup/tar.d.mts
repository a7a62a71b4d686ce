export function tar(entries: readonly { path: string; mode: number; content?: Buffer; link?: string }[]): Buffer
