/**
 * Absolute path of bwrap, installing it with apt-get when this is root on Debian or Ubuntu.
 * @throws Error that names the package to install
 */
export function ensureBubblewrap(options?: { log?: (message: string) => void }): Promise<string>
