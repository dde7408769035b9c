/** One member of an archive that no honest program would write. */
export interface Member {
  readonly name: string | Buffer;
  /** `0` file, `1` hard link, `2` link, `3` character device, `5` folder, `6` pipe. */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: string | Buffer;
  /** What the header claims, when that is not the truth. */
  readonly size?: number;
  readonly device?: readonly [number, number];
  /** Records of a pax header before it. */
  readonly pax?: Readonly<Record<string, string>>;
}

const BLOCK = 512;

/** A tar archive of these members, byte for byte as they say. */
export const craftTar = (members: readonly Member[], end = true): Buffer =>
  Buffer.concat([...members.flatMap(blocksOf), ...(end ? [Buffer.alloc(2 * BLOCK)] : [])]);

function blocksOf(member: Member): Buffer[] {
  const content = Buffer.from(member.content ?? '');
  const pax = Object.entries(member.pax ?? {}).map(([key, value]) => paxRecord(key, value));
  const before = pax.length === 0 ? [] : blocksOf({ name: 'pax', type: 'x', content: pax.join('') });
  return [
    ...before,
    header(member, content.length),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ];
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function header(member: Member, length: number): Buffer {
  const { name, type = '0', link = '', mode = type === '5' ? 0o755 : 0o644, uid = 0, gid = 0 } = member;
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  Buffer.from(name).copy(block, 0, 0, 100);
  octal(mode, 100, 7);
  octal(uid, 108, 7);
  octal(gid, 116, 7);
  octal(member.size ?? length, 124, 11);
  octal(0, 136, 11);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157, 100);
  block.write('ustar\u000000', 257, 'latin1');
  octal(member.device?.[0] ?? 0, 329, 7);
  octal(member.device?.[1] ?? 0, 337, 7);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block[154] = 0;
  block[155] = 0x20;
  return block;
}

/** A small root file system, so that what is wrong is only what a test adds. */
export const HONEST: readonly Member[] = [
  { name: './', type: '5' },
  { name: './etc/', type: '5' },
  { name: './etc/hostname', content: 'honest\n' },
  { name: './usr/', type: '5' },
  { name: './usr/bin/', type: '5' },
  { name: './usr/bin/tool', content: 'tool\n', mode: 0o4755 },
  { name: './usr/bin/same', type: '1', link: './usr/bin/tool' },
  { name: './bin', type: '2', link: '/usr/bin' },
  { name: './home/', type: '5', uid: 1000, gid: 1000 },
];
