import { renderCommandHelp } from '../../src/cli/help/render.ts';
import { loadAll } from '../../src/cli/help/show.ts';
import { page } from './markdown.ts';

/** The page of every command, as `mullion help COMMAND` shows it. */
export async function renderCliPage(): Promise<string> {
  const commands = await loadAll();
  return page(
    '# The command line',
    'What `mullion help COMMAND` shows, for every command.',
    'Exit codes: 0 done; 2 the request is wrong; 3 the host cannot do it; 4 refused; 5 it failed while running; 6 the daemon is not reachable; for `exec`, the code of the command inside.',
    ...commands.map(([name, command]) =>
      [`## mullion ${name}`, '', '```text', ...renderCommandHelp(name, command, 80), '```'].join('\n'),
    ),
  );
}
