import type { Command } from './command.ts';

type Load = () => Promise<Command>;

/** Every command by its name; a file is loaded only when its command runs. In the order of the help. */
export const COMMANDS = {
  quickstart: async () => (await import('./quickstart/command.ts')).command,
  launch: async () => (await import('./commands/launch.ts')).command,
  list: async () => (await import('./commands/list.ts')).command,
  info: async () => (await import('./commands/info.ts')).command,
  start: async () => (await import('./commands/start.ts')).command,
  stop: async () => (await import('./commands/stop.ts')).command,
  restart: async () => (await import('./commands/restart.ts')).command,
  pause: async () => (await import('./commands/pause.ts')).command,
  resume: async () => (await import('./commands/resume.ts')).command,
  set: async () => (await import('./commands/set.ts')).command,
  delete: async () => (await import('./commands/delete.ts')).command,
  exec: async () => (await import('./commands/exec.ts')).command,
  console: async () => (await import('./commands/console.ts')).command,
  screenshot: async () => (await import('./commands/screenshot.ts')).command,
  logs: async () => (await import('./commands/logs.ts')).command,
  top: async () => (await import('./commands/top.ts')).command,
  rename: async () => (await import('./commands/rename.ts')).command,
  convert: async () => (await import('./commands/convert.ts')).command,
  copy: async () => (await import('./commands/copy.ts')).command,
  'snapshot create': async () => (await import('./commands/snapshot-create.ts')).command,
  'snapshot list': async () => (await import('./commands/snapshot-list.ts')).command,
  'snapshot restore': async () => (await import('./commands/snapshot-restore.ts')).command,
  'snapshot delete': async () => (await import('./commands/snapshot-delete.ts')).command,
  'file push': async () => (await import('./commands/file-push.ts')).command,
  'file pull': async () => (await import('./commands/file-pull.ts')).command,
  'file list': async () => (await import('./commands/file-list.ts')).command,
  'forward add': async () => (await import('./commands/forward-add.ts')).command,
  'forward remove': async () => (await import('./commands/forward-remove.ts')).command,
  'forward list': async () => (await import('./commands/forward-list.ts')).command,
  'image list': async () => (await import('./commands/image-list.ts')).command,
  'image build': async () => (await import('./commands/image-build.ts')).command,
  'image import': async () => (await import('./commands/image-import.ts')).command,
  'image export': async () => (await import('./commands/image-export.ts')).command,
  'image publish': async () => (await import('./commands/image-publish.ts')).command,
  'image info': async () => (await import('./commands/image-info.ts')).command,
  'image delete': async () => (await import('./commands/image-delete.ts')).command,
  'backup create': async () => (await import('./commands/backup-create.ts')).command,
  'backup list': async () => (await import('./commands/backup-list.ts')).command,
  'backup restore': async () => (await import('./commands/backup-restore.ts')).command,
  'backup verify': async () => (await import('./commands/backup-verify.ts')).command,
  'backup delete': async () => (await import('./commands/backup-delete.ts')).command,
  'backup repo add': async () => (await import('./commands/backup-repo-add.ts')).command,
  'backup repo list': async () => (await import('./commands/backup-repo-list.ts')).command,
  'backup repo remove': async () => (await import('./commands/backup-repo-remove.ts')).command,
  'backup repo key': async () => (await import('./commands/backup-repo-key.ts')).command,
  'backup schedule set': async () => (await import('./commands/backup-schedule-set.ts')).command,
  'backup schedule show': async () => (await import('./commands/backup-schedule-show.ts')).command,
  'backup schedule remove': async () => (await import('./commands/backup-schedule-remove.ts')).command,
  'network list': async () => (await import('./commands/network-list.ts')).command,
  'network create': async () => (await import('./commands/network-create.ts')).command,
  'network info': async () => (await import('./commands/network-info.ts')).command,
  'network delete': async () => (await import('./commands/network-delete.ts')).command,
  'firewall create': async () => (await import('./commands/firewall-create.ts')).command,
  'firewall list': async () => (await import('./commands/firewall-list.ts')).command,
  'firewall info': async () => (await import('./commands/firewall-info.ts')).command,
  'firewall delete': async () => (await import('./commands/firewall-delete.ts')).command,
  'firewall rule add': async () => (await import('./commands/firewall-rule-add.ts')).command,
  'firewall rule remove': async () => (await import('./commands/firewall-rule-remove.ts')).command,
  'firewall join': async () => (await import('./commands/firewall-join.ts')).command,
  'firewall leave': async () => (await import('./commands/firewall-leave.ts')).command,
  'project list': async () => (await import('./commands/project-list.ts')).command,
  'project create': async () => (await import('./commands/project-create.ts')).command,
  'project info': async () => (await import('./commands/project-info.ts')).command,
  'project delete': async () => (await import('./commands/project-delete.ts')).command,
  'pool list': async () => (await import('./commands/pool-list.ts')).command,
  'pool info': async () => (await import('./commands/pool-info.ts')).command,
  'pool grow': async () => (await import('./commands/pool-grow.ts')).command,
  'pool check': async () => (await import('./commands/pool-check.ts')).command,
  'task list': async () => (await import('./commands/task-list.ts')).command,
  'task info': async () => (await import('./commands/task-info.ts')).command,
  'task cancel': async () => (await import('./commands/task-cancel.ts')).command,
  events: async () => (await import('./commands/events.ts')).command,
  compare: async () => (await import('./commands/compare.ts')).command,
  techniques: async () => (await import('./commands/techniques.ts')).command,
  doctor: async () => (await import('./commands/doctor.ts')).command,
  'daemon start': async () => (await import('./daemon/daemon-start.ts')).command,
  'daemon stop': async () => (await import('./daemon/daemon-stop.ts')).command,
  'daemon status': async () => (await import('./daemon/daemon-status.ts')).command,
  'daemon run': async () => (await import('./daemon/daemon-run.ts')).command,
  'token create': async () => (await import('./commands/token-create.ts')).command,
  'token list': async () => (await import('./commands/token-list.ts')).command,
  'token delete': async () => (await import('./commands/token-delete.ts')).command,
  audit: async () => (await import('./commands/audit.ts')).command,
  completion: async () => (await import('./commands/completion.ts')).command,
  version: async () => (await import('./commands/version.ts')).command,
  help: async () => (await import('./commands/help.ts')).command,
} as const satisfies Record<string, Load>;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

export const isCommandName = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name);

/** Names of a group's commands, such as `file`; empty when there is no such group. */
export const groupMembers = (group: string): CommandName[] =>
  COMMAND_NAMES.filter((name) => name.startsWith(`${group} `));

/** What may stand after a group's words, each once: `repo` and `create` after `backup`. */
export const groupVerbs = (group: string): string[] => [
  ...new Set(groupMembers(group).map((name) => name.slice(group.length + 1).split(' ')[0] ?? '')),
];

/** Headings of the overview, each with its commands or groups. */
export const CHAPTERS = [
  { title: 'Begin', members: ['quickstart', 'launch', 'list', 'info'] },
  { title: 'Change', members: ['start', 'stop', 'restart', 'pause', 'resume', 'set', 'rename', 'delete'] },
  { title: 'Keep', members: ['snapshot', 'copy', 'convert'] },
  { title: 'Use', members: ['exec', 'console', 'screenshot', 'logs', 'top', 'file', 'forward'] },
  { title: 'Resources', members: ['image', 'backup', 'network', 'firewall', 'project', 'pool'] },
  { title: 'Observe', members: ['task', 'events', 'techniques', 'compare', 'doctor'] },
  { title: 'Administer', members: ['daemon', 'token', 'audit', 'completion', 'version', 'help'] },
] as const;
