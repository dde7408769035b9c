import { defineCommand } from '../command.ts';

export const command = defineCommand({
  summary: 'print the completion script of a shell',
  description:
    'Names of VPSs, images and the like are completed too, by asking the daemon. Load the script in the start-up file of your shell.',
  arguments: { shell: { label: 'bash|zsh|fish', summary: 'your shell' } },
  flags: {},
  examples: [
    { line: 'source <(mullion completion bash)', does: 'in ~/.bashrc' },
    { line: 'source <(mullion completion zsh)', does: 'in ~/.zshrc, after compinit' },
    { line: 'mullion completion fish > ~/.config/fish/completions/mullion.fish', does: 'for fish' },
  ],
  withoutJson: 'it prints a script for a shell',
  run: async (context, { arguments: { shell } }) => {
    const { renderCompletion } = await import('../completion/render.ts');
    context.terminal.print(renderCompletion(shell));
    return 0;
  },
});
