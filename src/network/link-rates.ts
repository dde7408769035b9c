import { ETHERNET_FRAME } from '../host/traffic-control.ts';

/** A queue holds what goes out in this time at most, and a few frames at the least. */
const QUEUE_S = 0.1;
const LEAST_FRAMES = 16;
/** What may go out at once: what a kernel with 100 ticks a second hands over in two of them. */
const BURST_S = 0.02;

/**
 * A token bucket for what leaves by `link` (tc-tbf(8)). `rate`: bits a second. A packet of several segments that is larger
 * than the bucket is taken apart by the kernel when it comes, and never leaves when it waits in a bucket that is made
 * smaller (sch_tbf.c, tbf_change): nothing behind it does. So each bucket is a new one, which another kind of queue
 * before it makes sure of.
 */
export function renderBucket(link: string, rate: number): string[] {
  const burst = Math.ceil(Math.max(LEAST_FRAMES * ETHERNET_FRAME, (rate / 8) * BURST_S));
  const limit = burst + Math.ceil(Math.max(LEAST_FRAMES * ETHERNET_FRAME, (rate / 8) * QUEUE_S));
  return [
    `qdisc replace dev ${link} root pfifo`,
    `qdisc replace dev ${link} root tbf rate ${rate}bit burst ${burst} limit ${limit}`,
  ];
}

/**
 * What comes from the guest by `link` goes through the bucket of `shaper`, an intermediate functional block: it waits
 * there and goes on as if it came by `link` itself, so that all rules see it as before.
 */
export const renderDetour = (link: string, shaper: string, rate: number): string[] => [
  ...renderBucket(shaper, rate),
  `qdisc replace dev ${link} handle ffff: ingress`,
  `filter replace dev ${link} parent ffff: protocol all prio 1 handle 800::1 u32 match u32 0 0 action mirred egress redirect dev ${shaper}`,
];

export const renderNoBucket = (link: string): string => `qdisc del dev ${link} root`;
export const renderNoDetour = (link: string): string => `qdisc del dev ${link} ingress`;
