import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { runInGuest } from './guest-shell.ts';
import { eventually } from './scratch.ts';

export type Patience = Pick<CommandOptions, 'timeoutMs'>;

/** A daemon as its users meet it, wherever it runs. */
export abstract class VpsDoor {
  abstract readonly client: Client;

  /** Runs `mullion ARGS` against this daemon. */
  abstract cli(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;

  /** A subtest whose failure leaves evidence. */
  abstract check(t: TestContext, name: string, body: (t: TestContext) => Promise<void>): Promise<void>;

  /** Runs `mullion ARGS`, which must succeed; its standard output. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.cli(args, options);
    assert.equal(
      result.code,
      0,
      `mullion ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`,
    );
    return result.stdout;
  }

  /** Runs a shell line inside a VPS, which must succeed; its standard output without the last line end. */
  async inside(vps: string, script: string, { timeoutMs = 120_000 }: Patience = {}): Promise<string> {
    const { code, stdout, stderr } = await runInGuest(this.client, vps, script, timeoutMs);
    assert.equal(code, 0, `in ${vps}: ${script}: exit ${code}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** Waits until a VPS runs commands. */
  async answers(vps: string, timeoutMs = 300_000): Promise<void> {
    await eventually(
      `${vps} answers`,
      () =>
        runInGuest(this.client, vps, 'true', timeoutMs).then(
          ({ code }) => code === 0,
          () => false,
        ),
      timeoutMs,
    );
  }
}
