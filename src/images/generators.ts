import type { GuestFile } from './guest-files.ts';

const OWN = 'etc/systemd/system-generators';

/**
 * Programs that systemd runs at each start of its own, and that a VPS never needs. Each costs a boot as much as a
 * service: twelve take a third of what a container's boot takes of the processor.
 */
const NEEDLESS: Readonly<Record<string, string>> = {
  'systemd-bless-boot-generator': 'a VPS has no boot loader that counts its tries',
  'systemd-cryptsetup-generator': 'sets up encrypted disks, of which a VPS has none',
  'systemd-debug-generator': 'reads wishes from the kernel command line, which has none',
  'systemd-factory-reset-generator': 'for devices whose owner changes',
  'systemd-gpt-auto-generator': 'looks for partitions, of which a VPS has none',
  'systemd-hibernate-resume-generator': 'a VPS does not hibernate',
  'systemd-import-generator': 'reads wishes from the kernel command line, which has none',
  'systemd-integritysetup-generator': 'sets up checked disks, of which a VPS has none',
  'systemd-run-generator': 'reads wishes from the kernel command line, which has none',
  'systemd-ssh-generator': 'serves the host over a vsock, which a VPS does not have',
  'systemd-system-update-generator': 'a VPS is updated while it runs',
  'systemd-tpm2-generator': 'a VPS has no TPM',
  'systemd-veritysetup-generator': 'sets up checked disks, of which a VPS has none',
};

/** Those that have something to do once a user wrote a file, which our own generator looks for. */
const AT_NEED = ['systemd-fstab-generator', 'systemd-rc-local-generator', 'systemd-sysv-generator'];

/**
 * A shell is begun with a tenth of what the three take to find nothing (an emulated processor translates all that they
 * are linked with). A start script is nothing to do where a unit has its name, as systemd-sysv-generator(8) says.
 * @param root for tests, of another file system
 */
export const generator = (root = ''): string => `\
#!/bin/sh
# Runs those of systemd's generators that have something to do.
generators=${root}/usr/lib/systemd/system-generators
[ -e ${root}/etc/fstab ] && "$generators/systemd-fstab-generator" "$@"
[ -x ${root}/etc/rc.local ] && "$generators/systemd-rc-local-generator" "$@"
for script in ${root}/etc/init.d/*; do
  [ -x "$script" ] || continue
  unit=\${script##*/}
  unit=\${unit%.sh}.service
  for parent in /etc /run /usr/local/lib /usr/lib; do
    [ -e "${root}$parent/systemd/system/$unit" ] && continue 2
  done
  exec "$generators/systemd-sysv-generator" "$@"
done
exit 0
`;

/** A link to nothing in this folder takes a generator's place (systemd.generator(7)). */
export const generatorFiles = (): GuestFile[] => [
  { kind: 'file', path: `${OWN}/mullion-generator`, content: generator(), mode: 0o755 },
  ...[...Object.keys(NEEDLESS), ...AT_NEED].map(
    (name): GuestFile => ({ kind: 'link', path: `${OWN}/${name}`, target: '/dev/null' }),
  ),
];
