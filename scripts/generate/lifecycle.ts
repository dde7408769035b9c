import { lifecycleDiagram } from '../../src/core/lifecycle.ts';
import { page } from './markdown.ts';

/** The states of a VPS and what leads from one to another. */
export const renderLifecyclePage = (): string =>
  page(
    '# The life of a VPS',
    'What a person asks (`start`, `stop`, `restart`, `pause`, `resume`, `delete`) and what comes of it: `created`, `started`, `frozen`, `halted`, `deleted` when it is done, `failed` when it could not be, `exited` when the guest switched itself off or rebooted, `died` when it was lost. What is not drawn is refused. `deleteByForce` is `delete --force`.',
    `\`\`\`mermaid\n${lifecycleDiagram().trimEnd()}\n\`\`\``,
    'A guest that reboots is started again at once. One that died, or with the policy `always` also one that switched itself off, is started again after a wait that doubles each time from 1 second up to 5 minutes, and begins anew once it ran for a minute: `mullion set NAME restart=no|on-failure|always`.',
  );
