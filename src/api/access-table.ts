import type { Role } from '../model/trust.ts'

/**
 * What a caller must be: nobody in particular, an agent with a certificate, or the holder of a token with this role.
 */
type Need = 'Nothing' | 'Certificate' | Role

/**
 * What a request reaches, for tokens that are bound to namespaces: nothing that is in one, the cluster as a whole, the
 * namespace in the path, those of the app, task or run in the path, those of the object in the query, or a list that
 * the route itself narrows to what the caller may see.
 */
type Reach = 'Nothing' | 'Cluster' | 'Namespace' | 'App' | 'Task' | 'Run' | 'Object' | 'List'

export interface Rule {
  readonly method: 'GET' | 'POST'
  /** As hono spells it. */
  readonly path: string
  readonly needs: Need
  readonly reaches: Reach
}

const rule = (method: Rule['method'], path: string, needs: Need, reaches: Reach): Rule => ({ method, path, needs, reaches })

/** Every route and who may use it; one that is not here is not served. */
export const ACCESS: readonly Rule[] = [
  rule('GET', '/livez', 'Nothing', 'Nothing'),
  rule('GET', '/readyz', 'Nothing', 'Nothing'),
  rule('GET', '/healthz', 'Nothing', 'Nothing'),
  rule('GET', '/version', 'viewer', 'Nothing'),

  rule('GET', '/trust/v1/roots', 'Nothing', 'Nothing'),
  rule('POST', '/trust/v1/agents', 'Nothing', 'Nothing'),
  rule('POST', '/trust/v1/servers', 'Nothing', 'Nothing'),
  rule('POST', '/agent/v1/certificate', 'Certificate', 'Nothing'),
  rule('GET', '/agent/v1/trees/:oid', 'Certificate', 'Nothing'),

  rule('GET', '/api/v1/version', 'viewer', 'Nothing'),
  rule('GET', '/api/v1/watch', 'viewer', 'Nothing'),
  rule('GET', '/api/v1/apps', 'viewer', 'List'),
  rule('GET', '/api/v1/workloads', 'viewer', 'List'),
  rule('GET', '/api/v1/tasks', 'viewer', 'List'),
  rule('GET', '/api/v1/runs', 'viewer', 'List'),
  rule('GET', '/api/v1/rollouts', 'viewer', 'List'),
  rule('GET', '/api/v1/events', 'viewer', 'List'),
  rule('GET', '/api/v1/agents', 'viewer', 'Cluster'),
  rule('GET', '/api/v1/why', 'viewer', 'Object'),
  rule('GET', '/api/v1/apps/:name', 'viewer', 'App'),
  rule('GET', '/api/v1/apps/:name/history', 'viewer', 'App'),
  rule('GET', '/api/v1/tasks/:id', 'viewer', 'Task'),
  rule('GET', '/api/v1/tasks/:id/logs', 'viewer', 'Task'),
  rule('GET', '/api/v1/runs/:id', 'viewer', 'Run'),
  rule('POST', '/api/v1/apps/:name/plan', 'viewer', 'App'),
  rule('POST', '/api/v1/apps/:name/render', 'viewer', 'App'),

  rule('POST', '/api/v1/apps/:name/sync', 'deployer', 'App'),
  rule('POST', '/api/v1/apps/:name/rollback', 'deployer', 'App'),
  rule('POST', '/api/v1/workloads/:namespace/:kind/:name/promote', 'deployer', 'Namespace'),
  rule('POST', '/api/v1/workloads/:namespace/:kind/:name/abort', 'deployer', 'Namespace'),
  rule('POST', '/api/v1/workloads/:namespace/:kind/:name/run', 'deployer', 'Namespace'),
  rule('POST', '/api/v1/runs/:id/rerun', 'deployer', 'Run'),

  rule('POST', '/api/v1/agents/:id/cordon', 'operator', 'Cluster'),
  rule('POST', '/api/v1/agents/:id/uncordon', 'operator', 'Cluster'),
  rule('POST', '/api/v1/agents/:id/drain', 'operator', 'Cluster'),
  rule('POST', '/api/v1/agents/:id/forget', 'operator', 'Cluster'),
  rule('POST', '/api/v1/agents/:id/admit', 'operator', 'Cluster'),

  rule('GET', '/api/v1/health', 'viewer', 'Cluster'),
  rule('GET', '/api/v1/backup', 'admin', 'Cluster'),
  rule('GET', '/api/v1/tokens', 'admin', 'Cluster'),
  rule('POST', '/api/v1/tokens', 'admin', 'Cluster'),
  rule('POST', '/api/v1/tokens/:id/revoke', 'admin', 'Cluster'),
  rule('GET', '/api/v1/authorities', 'admin', 'Cluster'),
  rule('POST', '/api/v1/authorities/rotate', 'admin', 'Cluster'),
  rule('POST', '/api/v1/authorities/finish', 'admin', 'Cluster'),
]
