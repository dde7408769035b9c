import { MullionError } from '../contract/errors.ts';
import type { Naming } from '../core/naming.ts';
import type { NetworkState } from './network.ts';
import {
  attachmentElements,
  type Element,
  networkElements,
  renderElements,
  renderRemoval,
  renderTables,
} from './ruleset.ts';

export const networkOwner = (index: number): string => `network ${index}`;
export const attachmentOwner = (vps: string): string => `vps ${vps}`;

const identity = (element: Element): string => `${element.family} ${element.set} ${element.key}`;
const content = (element: Element): string => `${identity(element)} ${element.value ?? ''}`;

/** What our tables hold, by the network or VPS it belongs to. Changes come out as nft commands; it runs none. */
export class RuleBook {
  /** Whether the host answers for a VPS whose port is flooded. */
  answersSyns = false;
  readonly #naming: Naming;
  readonly #owned = new Map<string, readonly Element[]>();
  readonly #holders = new Map<string, string>();

  constructor(naming: Naming) {
    this.#naming = naming;
  }

  has(owner: string): boolean {
    return this.#owned.has(owner);
  }

  /**
   * Replaces what `owner` holds; the commands of the difference, empty when there is none.
   * @throws MullionError `in_use` when another owner holds one of the entries, for example the host port of a forward.
   */
  set(owner: string, elements: readonly Element[]): string {
    for (const element of elements) this.#requireFree(owner, element);
    const before = this.#owned.get(owner) ?? [];
    const kept = new Set(elements.map(content));
    const known = new Set(before.map(content));
    const removed = before.filter((element) => !kept.has(content(element)));
    const added = elements.filter((element) => !known.has(content(element)));
    for (const element of before) this.#holders.delete(identity(element));
    for (const element of elements) this.#holders.set(identity(element), owner);
    if (elements.length === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, elements);
    return renderElements(this.#naming, 'delete', removed) + renderElements(this.#naming, 'add', added);
  }

  /** Forgets everything and holds `state` instead. */
  load(state: NetworkState): void {
    this.#owned.clear();
    this.#holders.clear();
    for (const network of state.networks) {
      this.set(networkOwner(network.index), networkElements(this.#naming, network));
    }
    for (const attachment of state.attachments) {
      this.set(attachmentOwner(attachment.vps), attachmentElements(attachment));
    }
  }

  /** One transaction that makes both tables hold exactly this. */
  render(): string {
    const elements = [...this.#owned.values()].flat();
    return (
      renderRemoval(this.#naming) +
      renderTables(this.#naming, this.answersSyns) +
      renderElements(this.#naming, 'add', elements)
    );
  }

  renderRemoval(): string {
    return renderRemoval(this.#naming);
  }

  #requireFree(owner: string, element: Element): void {
    const holder = this.#holders.get(identity(element));
    if (holder === undefined || holder === owner) return;
    throw new MullionError('in_use', `${describe(element)} belongs to another VPS or network already.`, {
      remedy: 'Choose another, or remove the one that has it',
      details: { holder },
    });
  }
}

function describe(element: Element): string {
  return element.value === undefined
    ? `The entry ${element.key}`
    : `Host port ${element.key}/${element.set.slice(0, 3)}`;
}
