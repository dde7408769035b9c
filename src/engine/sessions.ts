import { MullionError } from '../contract/errors.ts';
import { type LifecycleEvent, requireMove } from '../core/lifecycle.ts';
import type { Driver, Handle, Machine } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import type { FileVerbs, VpsVerbs } from './contract.ts';
import { machineOf } from './machine.ts';

interface Live {
  readonly driver: Driver;
  readonly machine: Machine;
  readonly handle: Handle;
}

/** Work inside a VPS that runs. */
export function sessionVerbs(context: Context): Pick<VpsVerbs, 'exec' | 'console' | 'logs'> {
  return {
    async exec(project, name, request) {
      const { driver, machine, handle } = live(context, project, name, 'exec');
      const ability = needed(driver.exec, machine, 'run commands');
      if (request.tty && !driver.features(machine.technique).tty) {
        throw lacks(machine, 'give a command a terminal');
      }
      return bounded('begin the command', context.timings.step, ability.exec(machine, handle, request));
    },
    async console(project, name, window) {
      const { driver, machine, handle } = live(context, project, name, 'attach');
      const ability = needed(driver.console, machine, 'show a console');
      return bounded('open the console', context.timings.step, ability.openConsole(machine, handle, window));
    },
    async logs(project, name, options) {
      const record = context.state.requireVps(project, name);
      const machine = machineOf(context, record);
      const ability = needed(requireDriver(context, record.technique).logs, machine, 'keep a log');
      return bounded('open the log', context.timings.step, ability.readLogs(machine, options));
    },
  };
}

export function fileVerbs(context: Context): FileVerbs {
  const files = (project: string, name: string) => {
    const found = live(context, project, name, 'exec');
    return { ...found, ability: needed(found.driver.files, found.machine, 'reach its files') };
  };
  return {
    async pull(project, name, path) {
      const { ability, machine, handle } = files(project, name);
      return ability.pull(machine, handle, path);
    },
    async push(project, name, path, content, mode) {
      const { ability, machine, handle } = files(project, name);
      return ability.push(machine, handle, path, content, mode);
    },
    async list(project, name, path) {
      const { ability, machine, handle } = files(project, name);
      return bounded('list the folder', context.timings.step, ability.list(machine, handle, path));
    },
  };
}

/** @throws not_found, wrong_state */
function live(context: Context, project: string, name: string, event: LifecycleEvent): Live {
  const record = context.state.requireVps(project, name);
  requireMove(name, record.state, event);
  if (record.runtime === null) {
    throw new MullionError('wrong_state', `The VPS ${name} has no machine now.`, {
      remedy: `Start it: mullion start ${name}`,
    });
  }
  return {
    driver: requireDriver(context, record.technique),
    machine: machineOf(context, record),
    handle: record.runtime.handle,
  };
}

function needed<T>(ability: T | undefined, machine: Machine, what: string): T {
  if (ability === undefined) throw lacks(machine, what);
  return ability;
}

const lacks = (machine: Machine, what: string): MullionError =>
  new MullionError('not_supported', `The technique ${machine.technique} of ${machine.name} cannot ${what}.`, {
    details: { name: machine.name, technique: machine.technique },
  });
