/** Loaded on first use: it takes 100 ms, which commands that only read a local path need not pay. */
export const isomorphicGit = () => import('isomorphic-git').then((module) => module.default)
