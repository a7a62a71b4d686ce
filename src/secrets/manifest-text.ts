import { isMap, isScalar, type Node, Scalar, visit } from 'yaml'
import type { SopsMetadata } from '../model/secret.ts'
import { looksEncrypted } from './cipher.ts'
import { SecretError } from './secret-error.ts'
import { openSops } from './sops.ts'
import { encryptLeaves } from './sops-writer.ts'
import { leavesOf, readYaml, rewrite, SOPS, sopsDocumentOf, writeYaml, type YamlFile } from './yaml-leaves.ts'

const FIELDS = ['data', 'stringData'] as const
const ENCRYPTED_REGEX = `^(${FIELDS.join('|')})$`

export interface EncryptOptions {
  readonly recipients: readonly string[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * The file of one Secret with the values of `data` and `stringData` encrypted. Order and comments stay, and comments
 * are not encrypted.
 * @throws SecretError
 */
export async function encryptManifest(text: string, { recipients, now }: EncryptOptions): Promise<string> {
  const file = readYaml(text)
  assertPlainSecret(file)
  const written = leavesOf(file)
  const leaves = written.map(({ leaf }) => leaf)
  const encrypted = await encryptLeaves({ leaves, encryptedRegex: ENCRYPTED_REGEX, recipients, now })
  for (const [index, { leaf, node }] of written.entries()) {
    const value = encrypted.leaves[index]?.value
    if (typeof value === 'string' && value !== leaf.value) rewrite(node, value)
  }
  addSection(file, encrypted.sops)
  return writeYaml(file)
}

/**
 * The file in plain, without its `sops` section, for editing.
 * @throws SecretError
 */
export async function decryptManifest(text: string, identities: readonly string[]): Promise<string> {
  const file = readYaml(text)
  const opened = await openSops(sopsDocumentOf(file), identities)
  for (const [index, { leaf, node }] of leavesOf(file).entries()) {
    const value = opened[index]?.value
    if (value !== undefined && looksEncrypted(leaf.value)) restore(node, leaf.value, value)
  }
  file.document.delete(SOPS)
  return writeYaml(file)
}

/** A number that SOPS encrypted is written as one again, without quotes. */
function restore(node: Scalar, encrypted: string, value: string): void {
  rewrite(node, value)
  if (/type:int(?:64)?\]$/.test(encrypted)) node.value = BigInt(value)
  if (/type:float\]$/.test(encrypted)) node.value = Number(value)
  if (/type:bool\]$/.test(encrypted)) node.value = value === 'true'
}

/** @throws SecretError Malformed: what to mend before it can be encrypted. */
function assertPlainSecret({ root }: YamlFile): void {
  if (root.has(SOPS))
    throw new SecretError('Malformed', 'the file is encrypted already: `drover secret decrypt FILE --in-place` opens it for editing')
  const [apiVersion, kind] = [root.get('apiVersion'), root.get('kind')]
  if (apiVersion !== 'drover.dev/v1' || kind !== 'Secret')
    throw new SecretError('Malformed', 'only a Secret can be encrypted: the file must have `apiVersion: drover.dev/v1` and `kind: Secret`')
  const counts = FIELDS.map((field) => assertValues(field, root.get(field, true)))
  if (counts.every((count) => count === 0))
    throw new SecretError('Malformed', 'the Secret has no values: write them below `stringData`, or as base64 below `data`')
}

/** How many values there are. */
function assertValues(field: string, values: Node | undefined): number {
  if (values === undefined || (isScalar(values) && values.value === null)) return 0
  if (!isMap(values)) throw new SecretError('Malformed', `${field} must be a map of keys and values`)
  for (const { key, value } of values.items) assertText(`${field}.${isScalar(key) ? String(key.value) : '?'}`, value)
  return values.items.length
}

const STRING_TAGS: readonly (string | undefined)[] = [undefined, '!', 'tag:yaml.org,2002:str']

function assertText(name: string, value: unknown): void {
  if (!isScalar(value) || typeof value.value !== 'string' || !STRING_TAGS.includes(value.tag))
    throw new SecretError('Malformed', `${name} is no text: write it in quotes`)
  if (looksEncrypted(value.value))
    throw new SecretError('Malformed', `${name} is encrypted already, but its \`sops\` section is missing: take the file back from git`)
}

function addSection({ document, root }: YamlFile, sops: SopsMetadata): void {
  const name = document.createNode(SOPS)
  const section = document.createNode(sops)
  const date = section.get('lastmodified', true)
  // As real SOPS writes it: without quotes it is a date to some readers.
  if (isScalar(date)) date.type = Scalar.QUOTE_DOUBLE
  // A file in JSON stays one.
  if (root.flow === true) for (const node of [name, section]) quoteTexts(node)
  root.items.push(document.createPair(name, section))
}

function quoteTexts(node: Node): void {
  visit(node, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string') scalar.type = Scalar.QUOTE_DOUBLE
    },
  })
}
