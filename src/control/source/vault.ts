import { LRUCache } from 'lru-cache'
import { digestOf } from '../../lib/canonical.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Desired, DesiredSecret, DesiredWorkload } from '../../manifest/link.ts'
import type { Problem } from '../../model/records.ts'
import type { SealedValue, SopsDocument } from '../../model/secret.ts'
import type { WorkloadVersion } from '../../model/version.ts'

export interface VaultDeps {
  /** Every value of the document in plain. @throws Error that says what is missing or wrong, and no value */
  readonly open: (document: SopsDocument) => Promise<readonly { readonly path: readonly string[]; readonly value: string }[]>
  readonly seal: (of: string, plain: string) => SealedValue
}

type SealedSecret = Readonly<Record<string, SealedValue>>

/** Opening takes a key exchange, so what was opened once is remembered, sealed. */
const SECRETS_REMEMBERED = 2_000

/** Turns the Secrets of git into those of the store; in plain they are only here in between. */
export class Vault {
  readonly #deps: VaultDeps
  readonly #known = new LRUCache<string, SealedSecret>({ max: SECRETS_REMEMBERED })

  constructor(deps: VaultDeps) {
    this.#deps = deps
  }

  /** Values by key. @throws Error for people */
  async take(secret: DesiredSecret): Promise<SealedSecret> {
    const { namespace, name, base64, document } = secret
    const mark = digestOf({ namespace, name, base64, document })
    const known = this.#known.get(mark)
    if (known !== undefined) return known
    const sealed = new Map<string, SealedValue>()
    for (const { path, value } of await this.#deps.open(document)) {
      const [field, key] = path
      if (key === undefined || path.length !== 2 || (field !== 'data' && field !== 'stringData')) continue
      sealed.set(key, this.#deps.seal(`${namespace}/${name}/${key}`, field === 'data' ? textOf(key, value) : textual(key, value)))
    }
    const values = Object.fromEntries(sealed)
    this.#known.set(mark, values)
    return values
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function textOf(key: string, encoded: string): string {
  const compact = encoded.replaceAll(/\s/g, '')
  if (!BASE64.test(compact)) throw new Error(`data.${key} is not base64; plain text belongs in stringData`)
  const bytes = Buffer.from(compact, 'base64')
  const text = bytes.toString('utf8')
  if (!bytes.equals(Buffer.from(text))) throw new Error(`data.${key} is not text in UTF-8: binary values are not supported`)
  return textual(key, text)
}

function textual(key: string, text: string): string {
  if (text.includes('\0')) throw new Error(`the value ${key} holds a NUL, which no environment and no text file can`)
  return text
}

type SecretsOfVersion = NonNullable<WorkloadVersion['secrets']>

/** What each workload gets of the Secrets it names; those that name one which cannot be opened stay as they are. */
export interface SealedInputs {
  /** Null: one of them cannot be opened. */
  of(workload: DesiredWorkload): SecretsOfVersion | null
  readonly problems: readonly Problem[]
}

/** Opens the Secrets that something uses; what nobody uses may be for another cluster's key. */
export async function sealInputs({ workloads, secrets }: Desired, vault: Vault): Promise<SealedInputs> {
  const used = new Set(workloads.flatMap((workload) => Object.keys(workload.secrets).map((name) => placeOf(workload, name))))
  const sealed = new Map<string, SealedSecret>()
  const problems: Problem[] = []
  for (const secret of secrets.filter(({ namespace, name }) => used.has(`${namespace}/${name}`))) {
    const { namespace, name, file, at } = secret
    try {
      sealed.set(`${namespace}/${name}`, await vault.take(secret))
    } catch (error) {
      problems.push({ file, ...at, message: `Secret ${namespace}/${name} cannot be opened: ${messageOf(error)}`, hint: null })
    }
  }
  return { of: (workload) => inputsOf(workload, sealed), problems }
}

const placeOf = ({ manifest }: DesiredWorkload, secret: string): string => `${manifest.metadata.namespace}/${secret}`

function inputsOf(workload: DesiredWorkload, sealed: ReadonlyMap<string, SealedSecret>): SecretsOfVersion | null {
  const inputs: SecretsOfVersion = {}
  for (const [name, keys] of Object.entries(workload.secrets)) {
    const values = sealed.get(placeOf(workload, name))
    if (values === undefined) return null
    inputs[name] = Object.fromEntries(keys.flatMap((key) => (values[key] === undefined ? [] : [[key, values[key]]])))
  }
  return inputs
}
