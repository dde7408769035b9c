import { Duplex } from 'node:stream';
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const VERSION = 'RFB 003.008\n';

/** A black screen of this size, as PNG of 8 bits grey (PNG, W3C, sections 5 and 11). */
export function blackScreen(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = Buffer.alloc(height * (1 + width));
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND')]);
}

function chunk(kind: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** A display that says its version of the remote framebuffer protocol (RFC 6143, section 7.1.1), and no more. */
export function silentDisplay(): Duplex {
  const display = new Duplex({
    read: () => undefined,
    write: (_part, _encoding, done) => done(),
  });
  display.push(VERSION);
  return display;
}
