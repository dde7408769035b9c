import { TOKEN_SCOPES } from '../../contract/token-scopes.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { usage } from '../parse.ts';
import { parseSpan } from '../span.ts';

export const command = defineCommand({
  summary: 'make a token for the API over the network',
  description:
    'Prints the secret, this once: the daemon keeps only its hash. The scope read-only sees the state of every project and no secrets, project works in the one project that --project names, admin does everything. It needs the configuration `listen`.',
  arguments: { name: { label: 'NAME', summary: 'its name, which the audit log shows' } },
  flags: {
    scope: { kind: 'choice', choices: TOKEN_SCOPES, summary: 'what it may do', default: 'read-only' },
    expires: { kind: 'text', value: 'SPAN', summary: 'when it ends, such as 12h, 30d or 1y', default: '90d' },
  },
  examples: [
    { line: 'mullion token create prometheus', does: 'one that reads, for 90 days' },
    {
      line: 'mullion token create shop-ci --scope project --project shop --expires 30d > token',
      does: 'for one project; use it with MULLION_TOKEN_FILE=token',
    },
  ],
  seeAlso: ['token list', 'token delete', 'audit'],
  run: async (context, { arguments: { name }, flags: { scope, expires } }) => {
    const lifetime = parseSpan(expires ?? '90d');
    if (lifetime === undefined) {
      throw usage('token create', `--expires: "${expires}" is not a span; write it like 12h, 30d or 1y.`);
    }
    const project = context.project.project ?? 'default';
    const token = await context.client.call('tokens.create', {
      body: { name, lifetime, scope: scope ?? 'read-only', ...(scope === 'project' ? { project } : {}) },
    });
    if (context.json) {
      printJson(context, token);
      return 0;
    }
    say(context, `The token ${token.name} is valid until ${token.expiresAt}. It is shown this once:`);
    context.terminal.print(token.token);
    return 0;
  },
});
