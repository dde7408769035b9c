import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

/** A picture as rows of pixels, each three bytes. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Buffer;
}

/** Reads a PNG of 8 bits a channel without alpha or interlace (PNG, W3C), as QEMU writes them. */
export function decodePng(png: Buffer): Picture {
  const data: Buffer[] = [];
  let width = 0;
  let height = 0;
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString('latin1', at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') {
      width = body.readUInt32BE(0);
      height = body.readUInt32BE(4);
      if (body[8] !== 8 || body[9] !== 2 || body[12] !== 0) throw new Error('a PNG of another kind');
    }
    if (kind === 'IDAT') data.push(body);
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(data));
  const stride = width * 3;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x += 1) {
      const left = x < 3 ? 0 : (pixels[y * stride + x - 3] ?? 0);
      const up = y === 0 ? 0 : (pixels[(y - 1) * stride + x] ?? 0);
      const corner = x < 3 || y === 0 ? 0 : (pixels[(y - 1) * stride + x - 3] ?? 0);
      const value = raw[y * (stride + 1) + 1 + x] ?? 0;
      pixels[y * stride + x] = value + predict(filter, left, up, corner);
    }
  }
  return { width, height, pixels };
}

function predict(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const [a, b, c] = [left, up, corner].map((near) => Math.abs(left + up - corner - near)) as [
    number,
    number,
    number,
  ];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

const ROWS = 16;
/** The letter A as the font of a PC's text mode draws it, a byte a row. */
const LETTER_A = Buffer.from('000010386cc6c6fec6c6c6c600000000', 'hex');

/** Glyphs of the text mode, from the video BIOS that draws them. */
function vgaGlyphs(): Map<string, string> {
  const bios = readFileSync('/usr/share/seabios/vgabios-stdvga.bin');
  const at = bios.indexOf(LETTER_A);
  if (at < 0) throw new Error('the video BIOS has no font that is known');
  const start = at - 'A'.charCodeAt(0) * ROWS;
  const codes = Array.from({ length: 0x7f - 0x20 }, (_, index) => 0x20 + index);
  return new Map(
    codes.map((code) => [
      bios.toString('hex', start + code * ROWS, start + (code + 1) * ROWS),
      String.fromCharCode(code),
    ]),
  );
}

/** What stands on a screen in the PC's text mode of 80 columns; a space where no glyph is known. */
export function readTextScreen(png: Buffer): string {
  const picture = decodePng(png);
  const glyphs = vgaGlyphs();
  const cell = picture.width / 80;
  if (picture.height % ROWS !== 0 || !Number.isInteger(cell)) return '';
  const lines: string[] = [];
  for (let y = 0; y < picture.height; y += ROWS) {
    let line = '';
    for (let x = 0; x < picture.width; x += cell) line += glyphAt(picture, x, y, glyphs);
    lines.push(line.trimEnd());
  }
  return lines.join('\n');
}

/** The corner of a letter's cell is background, whatever its colours. */
function glyphAt(picture: Picture, x: number, y: number, glyphs: Map<string, string>): string {
  const pixel = (dx: number, dy: number): number =>
    picture.pixels.readUIntBE(((y + dy) * picture.width + x + dx) * 3, 3);
  const background = pixel(0, 0);
  const rows = Array.from({ length: ROWS }, (_, dy) =>
    Array.from({ length: 8 }, (_, dx) => (pixel(dx, dy) === background ? 0 : 0x80 >> dx)).reduce(
      (sum, bit) => sum | bit,
    ),
  );
  return glyphs.get(Buffer.from(rows).toString('hex')) ?? ' ';
}
