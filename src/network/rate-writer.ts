import { LINK_PREFIX, type Naming, RATE_PREFIX } from '../core/naming.ts';
import { changeLinks } from '../host/links.ts';
import { linkExists } from '../host/net.ts';
import type { Runner } from '../host/run.ts';
import { changeTraffic, removeTraffic } from '../host/traffic-control.ts';
import { renderBucket, renderDetour, renderNoBucket, renderNoDetour } from './link-rates.ts';
import { removeLinks } from './links.ts';
import type { Attachment } from './network.ts';

/** The device in which what a VPS sends waits; made by the name of its link. */
export const shaperOf = (naming: Naming, link: string): string =>
  `${RATE_PREFIX(naming)}${link.slice(LINK_PREFIX(naming).length)}`;

/** The shaper that an attachment is to have. */
export const wantedShaper = (naming: Naming, { nic, rates }: Attachment): string[] =>
  (rates?.networkOutRate ?? 0) > 0 ? [shaperOf(naming, nic.hostLink)] : [];

/** Makes the rates of a link what they should be, whatever they were; a link that is not there is passed over. */
export async function writeRates(naming: Naming, run: Runner, attachment: Attachment): Promise<void> {
  const link = attachment.nic.hostLink;
  if (!linkExists(link)) return;
  const { networkInRate = 0, networkOutRate = 0 } = attachment.rates ?? {};
  const shaper = shaperOf(naming, link);
  if (networkInRate > 0) await changeTraffic(run, renderBucket(link, networkInRate));
  else await removeTraffic(run, [renderNoBucket(link)]);
  if (networkOutRate > 0) {
    if (!linkExists(shaper)) await changeLinks([{ type: 'addShaper', link: shaper }]);
    await changeTraffic(run, renderDetour(link, shaper, networkOutRate));
  } else if (linkExists(shaper)) {
    await removeTraffic(run, [renderNoDetour(link)]);
    await changeLinks(removeLinks([shaper]), { force: true });
  }
}
