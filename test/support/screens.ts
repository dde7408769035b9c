import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './scratch.ts';
import { readTextScreen } from './screen.ts';
import type { VpsDoor } from './vps-door.ts';

const LOOK_MS = 1_000;

/** How long is waited for a screen, and for a serial line. */
interface ScreenPatience {
  readonly shownMs: number;
  readonly saidMs: number;
}

/** What machines show that boot by loaders of their own: on their screens, and on their serial lines. */
export class Screens {
  readonly #door: VpsDoor;
  readonly #pictures: string;
  readonly #most: ScreenPatience;

  /** @param pictures folder that keeps the last picture of each */
  constructor(door: VpsDoor, pictures: string, most: ScreenPatience) {
    this.#door = door;
    this.#pictures = pictures;
    this.#most = most;
    mkdirSync(pictures, { recursive: true });
  }

  async picture(name: string): Promise<string> {
    const file = join(this.#pictures, `${name}.png`);
    await this.#door.ok(['screenshot', name, file]);
    return file;
  }

  /** The text of its screen. */
  async text(name: string): Promise<string> {
    return readTextScreen(readFileSync(await this.picture(name)));
  }

  async shows(name: string, what: RegExp): Promise<void> {
    let seen = '';
    const look = async (): Promise<boolean> => {
      await sleep(LOOK_MS);
      seen = await this.text(name);
      return what.test(seen);
    };
    await eventually(`${name} shows ${what}`, look, this.#most.shownMs).catch((failure: unknown) =>
      assert.fail(`${String(failure)}; it shows:\n${seen}`),
    );
  }

  async says(name: string, what: RegExp): Promise<void> {
    const look = async (): Promise<boolean> => {
      await sleep(LOOK_MS);
      return what.test(await this.#door.ok(['logs', name]));
    };
    await eventually(`${name} says ${what} on its serial line`, look, this.#most.saidMs);
  }
}
