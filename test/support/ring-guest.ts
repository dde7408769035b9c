/** A guest's side of the page of its console, byte by byte (Xen, public/io/console.h). */
export class RingGuest {
  readonly page = Buffer.alloc(4096);

  write(bytes: Buffer): number {
    let written = 0;
    for (const byte of bytes) {
      const producer = this.page.readUInt32LE(3084);
      if ((producer - this.page.readUInt32LE(3080)) >>> 0 >= 2048) break;
      this.page[1024 + (producer % 2048)] = byte;
      this.page.writeUInt32LE((producer + 1) >>> 0, 3084);
      written += 1;
    }
    return written;
  }

  read(): Buffer {
    const bytes: number[] = [];
    for (;;) {
      const consumer = this.page.readUInt32LE(3072);
      if (consumer === this.page.readUInt32LE(3076)) return Buffer.from(bytes);
      bytes.push(this.page[consumer % 1024] ?? 0);
      this.page.writeUInt32LE((consumer + 1) >>> 0, 3072);
    }
  }
}
