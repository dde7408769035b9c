import { MullionError } from '../../contract/error-table.ts';
import { TECHNIQUES } from '../../contract/technique-table.ts';
import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'give a VPS another technique',
  description:
    'Its files with owners, modes, attributes and device nodes, its name, address, forwards and limits stay; what changes is how it is virtualized. It is shut down for it and then started with the new technique. The data is kept as it was until the VPS has booted; when anything fails, it is again what it was. A VPS that was stopped is started to see that it boots, and stopped again.\n\nRefused where the data has no equal, for example a disk with a foreign operating system that should become a container, and where the image lacks a part that the technique needs. Between os and the techniques with a disk it takes time and space by the size of its data. Its snapshots stay, each with the technique it was made under: to restore one brings that technique back, and a copy of one has it.',
  arguments: { name: VPS },
  flags: {
    technique: {
      kind: 'choice',
      choices: TECHNIQUES,
      summary: 'the new technique; see mullion techniques',
    },
  },
  examples: [
    { line: 'mullion convert web --technique full', does: 'give it a kernel of its own' },
    { line: 'mullion convert web --technique os', does: 'make it a container again' },
  ],
  seeAlso: ['techniques', 'copy', 'launch'],
  run: (context, { arguments: { name }, flags: { technique } }) => {
    if (technique === undefined) {
      throw new MullionError('invalid_request', 'Say which technique it is to have.', {
        remedy: `Add --technique ${TECHNIQUES.join(', ')}`,
      });
    }
    return runVerb(context, [name], `has the technique ${technique}`, () =>
      context.client.call('vps.convert', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
        body: { technique },
      }),
    );
  },
});
