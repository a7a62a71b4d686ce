import { DOCTOR_CHECKS, type Finding } from '../doctor.ts'
import { EXIT } from '../exit.ts'
import { statusColor } from '../output/colors.ts'
import type { Format } from '../output/print.ts'
import type { Command } from '../session.ts'

export interface DoctorOptions {
  readonly output: Format
  readonly dataDir: string
}

/** Looks at this machine; 1 when something fails, 0 with warnings only. */
export const doctor: Command<DoctorOptions> = async (session, _, { output, dataDir }) => {
  const { deps, printer } = session
  const input = { dataDir, server: (await session.client()).url, fetch: deps.fetch, env: deps.env }
  const findings = await Promise.all(DOCTOR_CHECKS.map((check) => check(input)))
  await printer.list(output, findings, {
    name: (finding: Finding) => finding.check,
    columns: [
      { header: 'CHECK', value: (finding) => finding.check },
      { header: 'VERDICT', value: (finding) => finding.verdict, paint: (text) => statusColor(printer.colors, text) },
      { header: 'DETAIL', value: (finding) => finding.detail },
      { header: 'FIX', value: (finding) => finding.fix ?? '-' },
    ],
  })
  return findings.some((finding) => finding.verdict === 'fail') ? EXIT.error : EXIT.ok
}
