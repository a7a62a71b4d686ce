import type { FindingView } from '../model/views.ts'

/** What a check found, here or at the server. */
export type Finding = FindingView

export const ok = (check: string, detail: string): Finding => ({ check, verdict: 'ok', detail, fix: null })
export const warn = (check: string, detail: string, fix: string): Finding => ({ check, verdict: 'warn', detail, fix })
export const fail = (check: string, detail: string, fix: string): Finding => ({ check, verdict: 'fail', detail, fix })
