import { Vault } from '../../src/control/source/vault.ts'
import { createKeyring, KEY_BYTES } from '../../src/lib/seal.ts'
import { openSops } from '../../src/secrets/sops.ts'

/** The key of all test clusters. */
export const TEST_KEYRING = createKeyring(Buffer.alloc(KEY_BYTES, 7))

/** A vault that holds these age identities. */
export const testVault = (...identities: readonly string[]): Vault =>
  new Vault({ open: (document) => openSops(document, identities), seal: TEST_KEYRING.seal })
