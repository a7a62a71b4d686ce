import { expect, it } from 'vitest'
import { refuseByGit } from '../../../src/control/source/git-refusal.ts'
import { GitError } from '../../../src/git/git-backend.ts'

it.each([
  ['MissingRef', 'NotFound'],
  ['MissingPath', 'NotFound'],
  ['AmbiguousRef', 'Conflict'],
  ['Unreachable', 'Unavailable'],
] as const)('tells who asked what git said: %s is %s', async (code, answer) => {
  const asked = refuseByGit(Promise.reject(new GitError(code, 'no branch or tag is named nope')))
  await expect(asked).rejects.toMatchObject({ name: 'RequestError', code: answer, message: 'git: no branch or tag is named nope' })
})

it('leaves every other failure as it is', async () => {
  const failure = new TypeError('a mistake of ours')
  await expect(refuseByGit(Promise.reject(failure))).rejects.toBe(failure)
})
