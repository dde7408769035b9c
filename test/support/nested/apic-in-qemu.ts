import type { NestedHost } from './nested-host.ts';

/** Where a program of a guest's jail may lie, beside QEMU's libraries. */
const BELOW = '/usr/lib/x86_64-linux-gnu/qemu-below';
const PROGRAM = '/usr/bin/qemu-system-x86_64';

/**
 * Guests with UEFI get their interrupt controller from the nested host's QEMU instead of its KVM, so that each of their
 * writes of CR8 leaves the guest. OVMF writes CR8 at the end of each interrupt; an emulated processor that is to tell KVM
 * of a window for interrupts at that moment ends with QEMU's failed assertion `qemu_mutex_iothread_locked()` in
 * `tcg_handle_interrupt`, as `helper_write_crN` calls it without that lock (target/i386/tcg/sysemu/misc_helper.c, QEMU
 * 7.2 to 10.0). KVM refuses its paravirtual registers to such guests, so they see none.
 */
export async function takeApicFromQemu(host: NestedHost): Promise<void> {
  await host.ok(`
set -e
mkdir -p ${BELOW}/bin
cp /bin/dash ${BELOW}/bin/sh
ln -s /usr/share ${BELOW}/share
ln -s /usr/lib ${BELOW}/lib
mv ${PROGRAM} ${BELOW}/bin/qemu
cat > ${PROGRAM} <<'END'
#!${BELOW}/bin/sh
for word; do
  shift
  case $word in
    q35,*,pflash0=*) word="$word,kernel-irqchip=off" hidden=,kvm=off ;;
    host) word="host$hidden" ;;
  esac
  set -- "$@" "$word"
done
exec ${BELOW}/bin/qemu "$@"
END
chmod 755 ${PROGRAM}`);
}
