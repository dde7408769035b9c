interface NeededProgram {
  readonly name: string;
  /** Of Debian, where it is in. */
  readonly package: string;
  /** What does not work without it. */
  readonly why: string;
  /** Node's name of the only architecture that needs it. */
  readonly architecture?: string;
}

/** One of each package that every host needs; the packages have no others that are needed apart from it. */
export const PROGRAMS: readonly NeededProgram[] = [
  { name: 'ip', package: 'iproute2', why: 'networks' },
  { name: 'nft', package: 'nftables', why: 'networks' },
  { name: 'dnsmasq', package: 'dnsmasq-base', why: 'names and DHCP' },
  { name: 'crun', package: 'crun', why: 'system containers, and the jail of every virtual machine' },
  { name: 'conmon', package: 'conmon', why: 'consoles of system containers' },
  { name: 'lxcfs', package: 'lxcfs', why: 'what system containers see of their memory and processors' },
  { name: 'socat', package: 'socat', why: 'terminals of commands in system containers' },
  { name: 'nsenter', package: 'util-linux', why: 'namespaces' },
  { name: 'mount', package: 'mount', why: 'mounts' },
  { name: 'depmod', package: 'kmod', why: 'modules of the kernel' },
  { name: 'mkfs.btrfs', package: 'btrfs-progs', why: 'the storage pool' },
  { name: 'mke2fs', package: 'e2fsprogs', why: 'disks of virtual machines' },
  { name: 'fuse2fs', package: 'fuse2fs', why: 'converting virtual machines to system containers' },
  { name: 'getfattr', package: 'attr', why: 'converting virtual machines to system containers' },
  { name: 'cpio', package: 'cpio', why: 'booting virtual machines' },
  { name: 'qemu-img', package: 'qemu-utils', why: 'disks of other formats' },
  {
    name: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    why: 'the techniques full and hardware',
    architecture: 'x64',
  },
  { name: 'linux.uml', package: 'user-mode-linux', why: 'the technique kernel', architecture: 'x64' },
  { name: 'mmdebstrap', package: 'mmdebstrap', why: 'building images' },
  { name: 'systemctl', package: 'systemd', why: 'building images' },
  { name: 'gpgv', package: 'gpgv', why: 'signatures of images' },
  { name: 'skopeo', package: 'skopeo', why: 'images from registries' },
  { name: 'umoci', package: 'umoci', why: 'OCI images' },
  { name: 'xz', package: 'xz-utils', why: 'unpacking' },
  { name: 'zstd', package: 'zstd', why: 'unpacking' },
  { name: 'restic', package: 'restic', why: 'backups' },
  { name: 'ssh', package: 'openssh-client', why: 'backups to an SFTP server' },
];

/** Those that a host of this architecture needs. */
export const programsFor = (arch: string): readonly NeededProgram[] =>
  PROGRAMS.filter(({ architecture }) => architecture === undefined || architecture === arch);
