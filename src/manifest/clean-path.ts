/** One spelling of a path: no `./`, no doubled or trailing slash; `.` for the folder itself. */
export function cleanPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return path.startsWith('/') ? `/${parts.join('/')}` : parts.join('/') || '.'
}
