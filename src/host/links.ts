import type { NetworkPlace } from './namespaces.ts';
import { describeChange, type LinkChange } from './rtnetlink/link-change.ts';
import { encodeChange } from './rtnetlink/messages.ts';
import { RouteSocket } from './rtnetlink/socket.ts';
import { SystemError } from './system-error.ts';

export type { LinkChange } from './rtnetlink/link-change.ts';

export interface LinkOptions {
  /** Instead of our own network namespace. */
  readonly place?: NetworkPlace | undefined;
  /** Goes on after a change that fails, and reports no failure. */
  readonly force?: boolean | undefined;
}

/** So many are sent together: their answers fit into a socket's buffer. */
const AT_ONCE = 64;

/**
 * Makes changes in order, in a fraction of the time of ip(8). After one that fails, those sent with it are still tried.
 * @throws SystemError of the first that failed, with the kernel's words; MullionError when the process of `place` is gone
 */
export async function changeLinks(changes: readonly LinkChange[], options: LinkOptions = {}): Promise<void> {
  if (changes.length === 0) return;
  using socket = RouteSocket.open(options.place);
  for (let at = 0; at < changes.length; at += AT_ONCE) {
    const batch = changes.slice(at, at + AT_ONCE);
    const encoded = batch.flatMap((change, index) => {
      try {
        return [{ change, message: encodeChange(change, at + index + 1, (link) => socket.indexOf(link)) }];
      } catch (failure) {
        if (options.force === true) return [];
        throw failure;
      }
    });
    const answers = await socket.ask(encoded.map(({ message }) => message));
    const failed = answers.findIndex(({ errno }) => errno !== 0);
    const [answer, cause] = [answers[failed], encoded[failed]?.change];
    if (options.force === true || answer === undefined || cause === undefined) continue;
    const words = answer.words === '' ? '' : ` (${answer.words})`;
    throw new SystemError('rtnetlink', answer.errno, `${describeChange(cause)}${words}`);
  }
}
