/** read-only: sees the state of every project, no secrets; project: one project; admin: everything. */
export const TOKEN_SCOPES = ['read-only', 'project', 'admin'] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];
