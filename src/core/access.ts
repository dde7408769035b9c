import { MullionError } from '../contract/errors.ts';
import type { Route } from '../contract/routes/route.ts';
import type { TokenScope } from '../contract/token-scopes.ts';

/** Who asks: a user of this host over the Unix socket, or the bearer of a token. */
export interface Identity {
  /** For the audit log: `uid:1000`, `token:NAME/ID`. */
  readonly who: string;
  readonly scope: TokenScope;
  /** The one project of the scope `project`. */
  readonly project: string | null;
  /** Comes over the Unix socket. */
  readonly local: boolean;
}

export interface Wish {
  /** It changes nothing and answers no secret. */
  readonly harmless: boolean;
  readonly access: Route['access'];
  /** Of the thing that is asked about; undefined: of none, or of all. */
  readonly project: string | undefined;
}

/** @throws MullionError `forbidden` */
export function requireAccess(identity: Identity, { harmless, access, project }: Wish): void {
  if (access === 'local' && !identity.local) {
    throw new MullionError('forbidden', 'This is only for users of the host itself, over its Unix socket.', {
      remedy: 'Run it on the host, or fetch the file yourself and import that',
    });
  }
  if (identity.scope === 'admin') return;
  if (access === 'admin') throw refused(identity, 'this is for administrators');
  if (identity.scope === 'read-only') {
    if (!harmless) throw refused(identity, 'it reads, but no secrets, and changes nothing');
    return;
  }
  if (access === 'anyone' && harmless) return;
  if (access !== undefined) throw refused(identity, 'this is about the whole host');
  if (project !== identity.project)
    throw refused(identity, `it works in the project ${identity.project} only`);
}

const refused = ({ scope }: Identity, why: string): MullionError =>
  new MullionError('forbidden', `The token has the scope ${scope}: ${why}.`, {
    remedy: 'Use a token of another scope: mullion token create NAME --scope SCOPE',
  });
