import type { Caller } from '../control/trust/trust-plane.ts'
import { ROLES, type Role } from '../model/trust.ts'
import { HttpProblem } from './problem.ts'

/** What a request touches: nothing that belongs to a namespace, the cluster as a whole, or these namespaces. */
export type Touched = 'Nothing' | 'Cluster' | readonly string[]

/** Whether a role includes another. */
const includes = (has: Role, needs: Role): boolean => ROLES.indexOf(has) >= ROLES.indexOf(needs)

/**
 * The one decision of who may do what. A token that is bound to namespaces may touch what is in them alone; what is in
 * no namespace it knows of (and what is not there) counts as elsewhere, so that it learns nothing of others' objects.
 * @throws HttpProblem 403 that says what would do
 */
export function authorize(caller: Caller, needs: Role, touched: Touched): void {
  if (!includes(caller.role, needs))
    throw forbidden(
      `the token "${caller.name}" has the role ${caller.role}, and this needs ${needs}: ask an admin for one with drover token create --role ${needs}`,
    )
  if (caller.namespaces === null || touched === 'Nothing') return
  const own = new Set(caller.namespaces)
  if (touched !== 'Cluster' && touched.length > 0 && touched.every((namespace) => own.has(namespace))) return
  throw forbidden(`the token "${caller.name}" is for the namespaces ${caller.namespaces.join(', ')}, and this is not only in them`)
}

const forbidden = (message: string): HttpProblem => new HttpProblem({ status: 403, code: 'Forbidden', message })
