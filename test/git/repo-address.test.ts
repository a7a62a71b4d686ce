import { describe, expect, it } from 'vitest'
import { GitError } from '../../src/git/git-backend.ts'
import { parseRef } from '../../src/git/ref-name.ts'
import { displayUrl, parseRepo } from '../../src/git/repo-address.ts'

const refusal = expect.objectContaining({ name: 'GitError', code: 'Unsupported' })

describe('the address of a repository', () => {
  it.each([
    ['/srv/repo', { kind: 'local', path: '/srv/repo' }],
    ['/srv/with:colon', { kind: 'local', path: '/srv/with:colon' }],
    ['file:///srv/my%20repo.git', { kind: 'file', path: '/srv/my repo.git' }],
    ['https://example.com/team/repo.git/', { kind: 'http', url: 'https://example.com/team/repo.git', credentials: null }],
    [
      'http://u:p%40ss@example.com:8080/x',
      { kind: 'http', url: 'http://example.com:8080/x', credentials: { username: 'u', password: 'p@ss' } },
    ],
    ['git@github.com:team/repo.git', { kind: 'ssh', host: 'github.com', user: 'git', port: null, path: 'team/repo.git' }],
    ['host.example:~me/repo', { kind: 'ssh', host: 'host.example', user: null, port: null, path: '~me/repo' }],
    ['ssh://git@[::1]:2222/srv/repo.git', { kind: 'ssh', host: '::1', user: 'git', port: 2222, path: '/srv/repo.git' }],
    ['ssh://host/~me/repo', { kind: 'ssh', host: 'host', user: null, port: null, path: '~me/repo' }],
  ])('%s is understood', (text, address) => {
    expect(parseRepo(text)).toEqual(address)
  })

  it('may be a relative path', () => {
    expect(parseRepo('.')).toEqual({ kind: 'local', path: process.cwd() })
    expect(parseRepo('./a:b')).toEqual({ kind: 'local', path: `${process.cwd()}/a:b` })
  })

  it.each([
    '',
    'ext::sh -c touch% /tmp/x',
    'git://example.com/x.git',
    'ftp://example.com/x',
    'javascript://alert(1)',
    'ssh://-oProxyCommand=touch%20x/repo',
    'ssh://-oProxyCommand=x@host/repo',
    '-oProxyCommand=x:repo',
    'git@-host:repo',
    'host:-upload-pack',
    'host:a\nb',
    'ssh://ho st/x',
    'file://host/srv/repo',
    '/srv/\0repo',
    'https://',
  ])('%j is refused', (text) => {
    expect(() => parseRepo(text)).toThrow(refusal)
  })

  it('is shown without its credentials', () => {
    expect(displayUrl(parseRepo('https://robot:secret@example.com/x?token=secret#secret'))).toBe('https://example.com/x')
    expect(displayUrl(parseRepo('git@github.com:team/repo.git'))).toBe('ssh://git@github.com/team/repo.git')
  })

  it('is not repeated in an error, for it may hold a password', () => {
    for (const text of ['ftp://robot:secret@example.com', 'https://robot:secret@exa mple.com']) {
      const error = (() => {
        try {
          return parseRepo(text)
        } catch (caught) {
          return caught
        }
      })()
      expect(error).toBeInstanceOf(GitError)
      expect(String(error)).not.toContain('secret')
    }
  })
})

describe('the name of a ref', () => {
  it.each(['main', 'release-1.2', 'feature/x_y', 'ümlaut', 'a@b', 'v1.0+build'])('%s may be a branch or a tag', (name) => {
    expect(parseRef(name)).toEqual({ kind: 'name', candidates: [`refs/heads/${name}`, `refs/tags/${name}`] })
  })

  it('may be given in full', () => {
    expect(parseRef('refs/tags/v1')).toEqual({ kind: 'name', candidates: ['refs/tags/v1'] })
  })

  it('is a commit when it is 40 hex digits, and nothing shorter is', () => {
    expect(parseRef('a'.repeat(40))).toEqual({ kind: 'commit', oid: 'a'.repeat(40) })
    expect(parseRef('a'.repeat(39)).kind).toBe('name')
  })

  it.each([
    ...['', '-main', '--upload-pack=x', '/main', 'main/', '.main', 'a/.b', 'a..b', 'a//b', '../main', 'a/../../x'],
    ...[
      'main.lock',
      'a.lock/b',
      'a b',
      'a~1',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[b',
      'a\\b',
      'a@{1}',
      'ma\nin',
      'a\0b',
      'a;b',
      '$(x)',
      'x'.repeat(256),
    ],
  ])('%j is refused', (name) => {
    expect(() => parseRef(name)).toThrow(expect.objectContaining({ code: 'MissingRef' }))
  })
})
