import { Readable } from 'node:stream';
import { MullionError } from '../contract/errors.ts';
import type { Features } from '../contract/techniques.ts';
import { type LifecycleEvent, requireMove } from '../core/lifecycle.ts';
import type { Driver, Handle, Machine } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import type { FileVerbs, VpsVerbs } from './contract.ts';
import { featuresOf, noAgent } from './features.ts';
import { machineOf } from './machine.ts';
import { requireRoomToAnswer } from './stall.ts';
import { untilAnswering } from './until-answering.ts';

interface Live {
  readonly driver: Driver;
  readonly features: Features;
  readonly machine: Machine;
  readonly handle: Handle;
}

/** Work inside a VPS that runs. */
export function sessionVerbs(
  context: Context,
): Pick<VpsVerbs, 'exec' | 'console' | 'logs' | 'display' | 'screenshot'> {
  const display = (project: string, name: string) => {
    const found = live(context, project, name, 'attach');
    if (found.driver.display !== undefined && found.features.display) {
      return { ...found, ability: found.driver.display };
    }
    throw new MullionError('not_supported', `The VPS ${name} has no screen.`, {
      remedy: `Use its console: mullion console ${name}; a screen have guests that boot by a loader of their own, from a disk or an ISO`,
      details: { name, technique: found.machine.technique },
    });
  };
  return {
    async exec(project, name, request, gone) {
      const { driver, features, machine, handle } = await answering(context, project, name, gone);
      const ability = needed(driver.exec, machine, 'run commands');
      if (!features.exec) throw noAgent(name);
      if (request.tty && !features.tty) throw lacks(machine, 'give a command a terminal');
      const beginning = ability.exec(machine, handle, request);
      try {
        return await bounded('begin the command', context.timings.step, beginning);
      } catch (failure) {
        // One that begins after all has nobody who would end it.
        beginning.then(
          (late) => late.close(),
          () => undefined,
        );
        throw failure;
      }
    },
    async console(project, name, window) {
      const { driver, machine, handle } = live(context, project, name, 'attach');
      const ability = needed(driver.console, machine, 'show a console');
      return bounded('open the console', context.timings.step, ability.openConsole(machine, handle, window));
    },
    async display(project, name) {
      const { ability, machine, handle } = display(project, name);
      return bounded('open the display', context.timings.step, ability.openDisplay(machine, handle));
    },
    async screenshot(project, name) {
      const { ability, machine, handle } = display(project, name);
      const picture = bounded('take the picture', context.timings.step, ability.screenshot(machine, handle));
      return Readable.from([await picture]);
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
  const files = async (project: string, name: string) => {
    const found = await answering(context, project, name);
    const ability = needed(found.driver.files, found.machine, 'reach its files');
    if (!found.features.files) throw noAgent(name);
    return { ...found, ability };
  };
  return {
    async pull(project, name, path) {
      const { ability, machine, handle } = await files(project, name);
      return ability.pull(machine, handle, path);
    },
    async push(project, name, path, content, mode) {
      const { ability, machine, handle } = await files(project, name);
      return ability.push(machine, handle, path, content, mode);
    },
    async list(project, name, path) {
      const { ability, machine, handle } = await files(project, name);
      return bounded('list the folder', context.timings.step, ability.list(machine, handle, path));
    },
  };
}

/** What goes through a guest's agent waits until that has begun. @throws not_found, wrong_state */
async function answering(
  context: Context,
  project: string,
  name: string,
  gone?: AbortSignal | undefined,
): Promise<Live> {
  const found = live(context, project, name, 'exec');
  const { driver, features, machine } = found;
  requireRoomToAnswer(context, context.state.requireVps(project, name));
  const agent = driver.health?.agent;
  if (agent === undefined || !features.health || agent.hasAnswered(machine)) return found;
  await untilAnswering(context, context.state.requireVps(project, name), gone);
  return live(context, project, name, 'exec');
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
    features: featuresOf(context, record),
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
