export function startDaemon(options: { dockerd: string; directory: string; args: readonly string[] }): Promise<number>
export function stopDaemon(pid: number): Promise<void>
export function isDockerd(pid: number): Promise<boolean>
export function ownFolder(directory: string): Promise<void>
export function removeDaemonFolder(directory: string): Promise<void>
