/** Ctrl-] as in telnet(1) and virsh: rarely typed in a guest, and free in screen(1) and tmux(1). */
const ESCAPE = 0x1d;

/** Watches typed keys for Ctrl-] and then q: answers undefined when they came. Ctrl-] twice types it once. */
export function createDetachFilter(): (data: Uint8Array) => Uint8Array | undefined {
  let armed = false;
  return (data) => {
    const kept: number[] = [];
    for (const byte of data) {
      if (!armed) {
        if (byte === ESCAPE) armed = true;
        else kept.push(byte);
        continue;
      }
      armed = false;
      if (byte === 0x71 || byte === 0x51) return undefined;
      if (byte === ESCAPE) kept.push(ESCAPE);
      else kept.push(ESCAPE, byte);
    }
    return Uint8Array.from(kept);
  };
}

export const DETACH_HINT = 'Ctrl-] then q';
