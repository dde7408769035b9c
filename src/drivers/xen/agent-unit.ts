import type { ArchiveEntry } from '../archive/entry.ts';
import { AGENT_NICE } from '../guest-agent/agent-priority.ts';
import { textFile, wanted } from '../provision/text-file.ts';
import { AGENT_CHANNEL, channelDevice } from './channels.ts';

const UNIT = 'mullion-guest-agent.service';
const DEVICE = channelDevice(AGENT_CHANNEL);
const AGENT = `/usr/sbin/qemu-ga --method=isa-serial --path=${DEVICE}`;

/**
 * Debian's own unit waits for a port of virtio, which a Xen guest does not have. A guest that goes on from saved memory
 * finds its channels hung up (Linux, hvc_xen.c, xencons_resume), and the agent would not open its own anew: it ends with a shell
 * whose controlling terminal the channel is, also where it waits for that channel and hears no other signal: two agents would
 * take the words from each other. What it has started goes on.
 */
export const agentFiles = (): ArchiveEntry[] => [
  textFile(`etc/systemd/system/${UNIT}`, UNIT_TEXT),
  wanted(UNIT, `/etc/systemd/system/${UNIT}`),
];

const UNIT_TEXT = `[Unit]
Description=QEMU guest agent on a channel of Xen
ConditionPathExists=${DEVICE}
ConditionVirtualization=xen

[Service]
ExecStart=/bin/sh -c "trap 'kill -KILL $$agent' HUP TERM; setsid ${AGENT} & agent=$$!; exec 3<>${DEVICE}; wait $$agent"
KillMode=process
Restart=always
RestartSec=1
Nice=${AGENT_NICE}

[Install]
WantedBy=multi-user.target
`;
