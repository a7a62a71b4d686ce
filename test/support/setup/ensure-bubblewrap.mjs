import { ensurePrograms } from './install.mjs'

/**
 * Absolute path of bwrap, installing it with apt-get when this is root on Debian or Ubuntu.
 * @throws Error that names the package to install
 */
export async function ensureBubblewrap({ log } = {}) {
  const { bwrap } = await ensurePrograms({ programs: ['bwrap'], packages: ['bubblewrap'], log })
  return bwrap
}
