import { z } from 'zod'

/**
 * What SOPS keeps beside the values it encrypts; the rest of its fields (other key services, ...) is not ours to judge.
 * `age[].enc` is the file's data key, encrypted for that recipient, in age's armour. `mac` seals all values together.
 */
export const SopsMetadata = z.looseObject({
  age: z.array(z.looseObject({ recipient: z.string(), enc: z.string() })).optional(),
  lastmodified: z.string(),
  mac: z.string(),
  mac_only_encrypted: z.boolean().optional(),
})
export type SopsMetadata = z.infer<typeof SopsMetadata>

/** A value of a document and the keys that lead to it, without list positions: what SOPS binds a ciphertext to. */
export interface SopsLeaf {
  readonly path: readonly string[]
  readonly value: string | number | boolean
}

/** A document as it is in git: every value but those of `sops`, in the order written. */
export interface SopsDocument {
  readonly leaves: readonly SopsLeaf[]
  readonly sops: SopsMetadata
}

/**
 * A secret value as the store, the agents' notes and plans have it: encrypted with the cluster's key, and bound to what
 * it is the value of. Equal values of one place have equal text, so that only a new value makes a new inputs digest.
 */
export const SealedValue = z.object({
  /** `namespace/secret/key`. */
  of: z.string(),
  /** `v1.<key id>.<base64 of nonce, ciphertext and tag>`. */
  sealed: z.string(),
})
export type SealedValue = z.infer<typeof SealedValue>
