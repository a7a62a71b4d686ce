export interface DockerHandle {
  readonly socketPath: string
  /** Process id of the daemon to stop later; null when the engine was there already. */
  readonly started: number | null
  readonly dataRoot: string | null
}
export interface EnsureDockerOptions {
  log?: (message: string) => void
  /** Where its socket, data and log go; one well-known folder in the temp folder unless told. */
  directory?: string
}
export function ensureDocker(options?: EnsureDockerOptions): Promise<DockerHandle>
export function stopDocker(handle: DockerHandle): Promise<void>
export function emptyEngine(socketPath: string): Promise<void>
