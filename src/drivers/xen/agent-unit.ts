import type { ArchiveEntry } from '../archive/entry.ts';
import { textFile, wanted } from '../provision/text-file.ts';
import { AGENT_CHANNEL, channelDevice } from './channels.ts';

const UNIT = 'mullion-guest-agent.service';
const DEVICE = channelDevice(AGENT_CHANNEL);

/** Debian's own unit waits for a port of virtio, which a Xen guest does not have. */
export const agentFiles = (): ArchiveEntry[] => [
  textFile(`etc/systemd/system/${UNIT}`, UNIT_TEXT),
  wanted(UNIT, `/etc/systemd/system/${UNIT}`),
];

const UNIT_TEXT = `[Unit]
Description=QEMU guest agent on a channel of Xen
ConditionPathExists=${DEVICE}
ConditionVirtualization=xen

[Service]
ExecStart=/usr/sbin/qemu-ga --method=isa-serial --path=${DEVICE}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
