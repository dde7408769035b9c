import type { ExecSession } from '../driver.ts';
import type { Accounts } from './users.ts';

/** A guest may hand out as much as it likes; this is more than any real file. */
const MOST = 4 * 1024 * 1024;

/** The guest's own user and group tables, read inside it. A file that is not there is an empty table. */
export async function readAccounts(execute: (argv: readonly string[]) => ExecSession): Promise<Accounts> {
  const read = async (path: string): Promise<string> => {
    const session = execute(['cat', path]);
    session.stdin.end();
    session.stderr?.resume();
    let text = '';
    for await (const piece of session.stdout) {
      if (text.length < MOST) text += String(piece);
    }
    await session.exit;
    return text;
  };
  const [passwd, group] = await Promise.all([read('/etc/passwd'), read('/etc/group')]);
  return { passwd, group };
}
