import type { ProcessPolicy } from '../model/process-policy.ts'

/** Where text goes; `process.stdout` is one. */
interface Output {
  write(text: string): unknown
  /** Size of the terminal, where it is one; changes with it. */
  readonly columns?: number
  readonly rows?: number
}

/** The part of the kit's clock that commands need. */
export interface CliClock {
  /** Wall clock, milliseconds since 1970. */
  now(): number
  /** Monotonic milliseconds. */
  monotonic(): number
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** What a control plane follows, where it keeps its state and where it listens. */
export interface ControlOptions {
  readonly repo: string
  readonly ref: string
  readonly path: string
  /** Null: named after the repository. */
  readonly app: string | null
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly pollMs: number
  /** `embedded`, `memory` or `etcd://HOST:PORT,HOST:PORT/PREFIX`. */
  readonly store: string
  /** With the keys that open Secrets; null: where SOPS looks for them. */
  readonly ageKeyFile: string | null
}

/** What a machine offers. */
export interface MachineOptions {
  /** What manifests may run as plain processes here; null: nothing. */
  readonly processes: ProcessPolicy | null
  readonly labels: Readonly<Record<string, string>>
}

export interface UpOptions extends ControlOptions, MachineOptions {
  /** Ends with 0 once the app is synced and healthy, 3 when it is degraded, 4 after `timeoutMs`. */
  readonly exitWhenHealthy: boolean
  readonly timeoutMs: number
}

/** Files and names by which etcd knows a server; PEM. Null where it does not ask. */
export interface EtcdOptions {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly user: string | null
  readonly passwordFile: string | null
}

export interface ServerOptions extends ControlOptions {
  /** Where agents, people and other servers reach it; null: where it listens. */
  readonly advertise: string | null
  readonly etcd: EtcdOptions
  /** Cluster id, or `empty`: the store that is meant, whatever the data directory remembers. */
  readonly acceptStore: string | null
  /** The cluster to become another server of, and the token that allows it. */
  readonly join: { readonly url: string; readonly token: string } | null
}

export interface AgentOptions extends MachineOptions {
  /** Addresses of control planes. */
  readonly servers: readonly string[]
  /** Needed until the agent has a certificate. */
  readonly token: string | null
  readonly dataDir: string
  /** Null: the host's. */
  readonly name: string | null
  /** Null: the one of the environment, or the usual one. */
  readonly docker: string | null
}

export interface DownOptions {
  readonly dataDir: string
}

/** Roles resolve with an exit code, and end in good order when the signal aborts. */
export interface Roles {
  up(options: UpOptions, signal: AbortSignal): Promise<number>
  server(options: ServerOptions, signal: AbortSignal): Promise<number>
  agent(options: AgentOptions, signal: AbortSignal): Promise<number>
  down(options: DownOptions, signal: AbortSignal): Promise<number>
}

export interface ManifestFile {
  readonly path: string
  readonly text: string
}

export interface RepoAsked {
  readonly repo: string
  /** Null: `main`, as for `drover up`. */
  readonly ref: string | null
  readonly path: string
}

/** Manifest files at a commit, read without a checkout. */
export interface RepoFiles {
  readonly revision: string
  readonly files: readonly ManifestFile[]
}

/** What `drover secret` needs of SOPS and age. Rejects with what to mend, and never with a value or a key. */
export interface SecretTools {
  /** `keyFile` is the text of a file with both halves of the key. `now` in milliseconds since 1970. */
  newKey(now: number): Promise<{ readonly recipient: string; readonly keyFile: string }>
  /** Without recipients for the keys of the user. `now` in milliseconds since 1970. */
  encrypt(file: ManifestFile, options: { readonly recipients: readonly string[]; readonly now: number }): Promise<string>
  /** With the keys of the user, and of the file where one is named. */
  decrypt(file: ManifestFile, options: { readonly ageKeyFile: string | null }): Promise<string>
}

/** Where a backup comes from: a server that sends it line by line, or a store that no server is asked for. */
export type BackupSource = { readonly kind: 'server'; readonly lines: AsyncIterable<string> } | ({ readonly kind: 'store' } & StorePlace)

interface KeepOptions {
  readonly out: string
  /** Of age, who may open the file; none: it is not encrypted. */
  readonly recipients: readonly string[]
  /** The data directory whose `secrets.key` goes in as well; null: none does. */
  readonly keyFrom: string | null
}

/** A store that no server is asked for. */
export interface StorePlace {
  readonly store: string
  readonly dataDir: string
  readonly etcd: EtcdOptions
}

/** What `drover backup` and `drover restore` do to stores and files. Rejects with what to mend. */
export interface BackupTools {
  keep(
    source: BackupSource,
    options: KeepOptions,
  ): Promise<{ readonly cluster: string; readonly revision: string; readonly items: number; readonly bytes: number }>
  restore(options: StorePlace & { readonly file: string; readonly ageKeyFile: string | null }): Promise<RestoredStore>
}

interface RestoredStore {
  readonly cluster: string
  readonly incarnation: number
  readonly items: number
}

/** Everything the command line reaches outside itself. */
export interface CliDeps {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
  readonly cwd: string
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly clock: CliClock
  readonly version: string
  readonly fetch: typeof fetch
  /** The same over TLS with servers of these roots (PEM) alone; null: with anybody, to ask which roots it has. */
  readonly trustingFetch: (roots: string | null) => Promise<typeof fetch>
  /** Asks on the terminal; called only where stdin is one. */
  readonly ask: (question: string) => Promise<string>
  readonly roles: Roles
  readonly readRepo: (asked: RepoAsked) => Promise<RepoFiles>
  readonly secrets: () => Promise<SecretTools>
  readonly backups: () => Promise<BackupTools>
}
