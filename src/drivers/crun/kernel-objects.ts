import { totalmem } from 'node:os';
import type { HostLimits, UserLimits } from '../../host/user-limits.ts';

/** What the processes of one VPS may have of the kernel at one time, as the kernel would let a small server have. */
export const KERNEL_OBJECTS: UserLimits = {
  max_inotify_instances: 512,
  max_inotify_watches: 65_536,
  max_fanotify_groups: 128,
  max_fanotify_marks: 65_536,
  max_user_namespaces: 256,
  max_mnt_namespaces: 512,
  max_net_namespaces: 128,
  max_pid_namespaces: 256,
  max_ipc_namespaces: 256,
  max_uts_namespaces: 256,
  max_cgroup_namespaces: 256,
  max_time_namespaces: 256,
};

/** What the kernel keeps for a terminal on nobody's account, in bytes: the buffers of its two ends (drivers/tty/n_tty.c). */
const TERMINAL = 24 * 1024;
/** All terminals together may cost the host so much of its memory. */
const TERMINALS_OF_MEMORY = 1 / 16;
/** More than this one file system of terminals cannot have (fs/devpts/inode.c). */
const MOST_TERMINALS = 1_048_576;

/**
 * Room for all VPSs together. Of what the kernel counts for the whole host alone there is so much that the memory of a VPS,
 * which pays for it, ends first; terminals excepted, most of whose memory nobody pays for.
 */
export const HOST_OBJECTS: HostLimits = {
  'fs/inotify/max_user_instances': 1_048_576,
  'fs/inotify/max_user_watches': 16_777_216,
  'fs/fanotify/max_user_groups': 262_144,
  'fs/fanotify/max_user_marks': 16_777_216,
  // Requests of 64 bytes each.
  'fs/aio-max-nr': 4_294_967_296,
  // Open files of a quarter of a KiB each.
  'fs/file-max': 4_294_967_296,
  'kernel/pty/max': Math.min(MOST_TERMINALS, Math.floor((totalmem() * TERMINALS_OF_MEMORY) / TERMINAL)),
};
