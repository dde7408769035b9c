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

/** Room for all VPSs together. */
export const HOST_OBJECTS: HostLimits = {
  'inotify/max_user_instances': 1_048_576,
  'inotify/max_user_watches': 16_777_216,
  'fanotify/max_user_groups': 262_144,
  'fanotify/max_user_marks': 16_777_216,
};
