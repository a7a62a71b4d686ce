import { DOCTOR_CHECKS, UNIT_FOLDERS } from '../doctor.ts'
import { serverFindings } from '../doctor-server.ts'
import { EXIT } from '../exit.ts'
import type { Finding } from '../finding.ts'
import { statusColor } from '../output/colors.ts'
import type { Format } from '../output/print.ts'
import type { Command } from '../session.ts'

export interface DoctorOptions {
  readonly output: Format
  readonly dataDir: string
}

/** Looks at this machine, and asks the control plane how it is; 1 when something fails, 0 with warnings only. */
export const doctor: Command<DoctorOptions> = async (session, _, { output, dataDir }) => {
  const { deps, printer } = session
  const client = await session.client()
  const input = { dataDir, server: client.url, fetch: deps.fetch, env: deps.env, unitFolders: UNIT_FOLDERS }
  const here = await Promise.all(DOCTOR_CHECKS.map((check) => check(input)))
  const findings = [...here, ...(await serverFindings(client, deps.clock))]
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
