import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type KernelFiles, takeKernel } from '../support/nested/kernel-of-tree.ts';
import { must } from './commands.ts';

const PARENT = '/var/tmp/mullion-booted';
const BUILD_MS = 10 * 60_000;
const DISK_SIZE = '20G';
/** Of busybox-static. */
const BUSYBOX = '/usr/bin/busybox';
const RESULT = /^### exit code (\d+)$/;
const REPORT = '/dev/virtio-ports/report';

const NETWORK = `\
[Match]
Type=ether

[Network]
DHCP=ipv4
`;

/** Runs the command line of /root/command once the machine has booted, then switches it off. */
const UNIT = `\
[Unit]
Description=What README tells a new user to do
Wants=network-online.target
After=network-online.target
FailureAction=poweroff
SuccessAction=poweroff

[Service]
Type=oneshot
EnvironmentFile=/root/environment
ExecStart=/bin/bash /root/command
StandardOutput=file:${REPORT}
StandardError=inherit

[Install]
WantedBy=multi-user.target
`;

/** What it says on the port `report` comes out of the emulator's standard output. */
const renderMachine = (disk: string, kernel: KernelFiles, consoleLog: string): string[] => [
  ...words('qemu-system-x86_64 -nodefaults -no-user-config -display none -machine q35'),
  ...words('-accel tcg,thread=multi,tb-size=512 -cpu max -smp 2 -m 4G'),
  ...['-kernel', kernel.vmlinuz, '-initrd', kernel.initramfs],
  ...['-append', 'root=/dev/vda rw console=ttyS0 quiet mitigations=off'],
  ...['-drive', `if=none,id=root,file=${disk},format=raw,cache=unsafe`],
  ...words('-device virtio-blk-pci,drive=root -device virtio-rng-pci'),
  ...words('-netdev user,id=net -device virtio-net-pci,netdev=net,romfile='),
  ...['-chardev', `file,id=console,path=${consoleLog}`, '-serial', 'chardev:console'],
  ...words('-device virtio-serial-pci -chardev stdio,id=report,signal=off'),
  ...words('-device virtserialport,chardev=report,name=report'),
];
const words = (line: string): string[] => line.split(' ');

/**
 * A machine of its own, emulated by QEMU: its kernel and systemd, as the release has them, boot from its disk. Leaving
 * the scope ends it and frees its disk.
 */
export class BootedMachine implements Disposable {
  readonly folder: string;
  /** What its disk is made from. */
  readonly root: string;

  constructor() {
    mkdirSync(PARENT, { recursive: true });
    for (const old of globSync(`${PARENT}/machine-*/owner`)) {
      if (!existsSync(`/proc/${readFileSync(old, 'utf8')}`)) rmSync(dirname(old), { recursive: true });
    }
    this.folder = mkdtempSync(join(PARENT, 'machine-'));
    this.root = join(this.folder, 'root');
    mkdirSync(this.root);
    writeFileSync(join(this.folder, 'owner'), String(process.pid));
  }

  /** Boots it, runs a command, and shows its output; its exit code, or -1 when the machine ended without one. */
  async run(
    checkout: string,
    environment: NodeJS.ProcessEnv,
    command: string,
    limitMs: number,
  ): Promise<number> {
    must(['git', 'clone', '--quiet', '--bare', checkout, join(this.root, 'checkout')]);
    this.#write('root/command', `${command}\necho "### exit code $?"\n`);
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}\n`);
    this.#write('root/environment', variables.join(''));
    this.#write('etc/systemd/network/10-ether.network', NETWORK);
    this.#write('etc/systemd/system/new-user.service', UNIT);
    this.#write('etc/fstab', '/dev/vda / ext4 defaults 0 1\n');
    this.#write('etc/hostname', 'fresh\n');
    this.#write('etc/hosts', '127.0.0.1 localhost fresh\n::1 localhost\n');
    this.#write('etc/resolv.conf', 'nameserver 10.0.2.3\n');
    must(['systemctl', `--root=${this.root}`, 'enable', 'systemd-networkd.service', 'new-user.service']);
    const disk = join(this.folder, 'disk');
    must(['mke2fs', '-q', '-F', '-t', 'ext4', '-m', '0', '-d', this.root, disk, DISK_SIZE], BUILD_MS);
    const kernel = { vmlinuz: join(this.folder, 'vmlinuz'), initramfs: join(this.folder, 'initramfs') };
    const { signal } = new AbortController();
    await takeKernel(this.root, BUSYBOX, kernel, join(this.folder, 'initial'), signal);
    return this.#boot(disk, kernel, limitMs);
  }

  async #boot(disk: string, kernel: KernelFiles, limitMs: number): Promise<number> {
    const consoleLog = join(this.folder, 'console.log');
    const argv = ['--pdeathsig', 'KILL', ...renderMachine(disk, kernel, consoleLog)];
    // At the end of its input the emulator would take the port for closed, and the guest wait until it is opened.
    const machine = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    const timer = setTimeout(() => machine.kill('SIGKILL'), limitMs);
    let code = -1;
    try {
      for await (const line of createInterface({ input: machine.stdout })) {
        console.log(line);
        const told = RESULT.exec(line)?.[1];
        if (told !== undefined) code = Number(told);
      }
    } finally {
      clearTimeout(timer);
      machine.kill('SIGKILL');
    }
    if (code === -1) console.log(readFileSync(consoleLog, 'utf8'));
    return code;
  }

  #write(path: string, content: string): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { force: true });
    writeFileSync(target, content);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
