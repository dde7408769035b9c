import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { OciSeccompRule } from './config.ts';

/**
 * Bytes of a core file, soft and hard. Where core_pattern of the host is a pipe, the kernel runs the host's program as its
 * root for each crash, below a limit of 0 too, and at exactly 1 alone it does not (core(5); fs/coredump.c, coredump_pipe).
 * No core fits into 1 byte either.
 */
const CORE_SIZE = 1;
let found: number | undefined;

/** The limit for what may crash: that, or less where this process's own hard limit is lower and it may not raise it. */
export function coreSize(): number {
  found ??= allowCoreFiles(CORE_SIZE);
  return found;
}

function allowCoreFiles(bytes: number): number {
  if (mostCoreBytes() < bytes) {
    spawnSync('prlimit', [`--pid=${process.pid}`, `--core=:${bytes}`], { stdio: 'ignore' });
  }
  return Math.min(bytes, mostCoreBytes());
}

/** proc(5), limits. */
function mostCoreBytes(): number {
  const hard = /^Max core file size\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
}

/** Calls whose arguments `limitRules` looks into. */
export const LIMIT_CALLS: readonly string[] = ['setrlimit', 'prlimit64'];
/** Of <asm-generic/resource.h>. */
const RLIMIT_CORE = 4;
const RLIMITS_END = 16;
/** The kernel takes 32 bits of which limit is meant, whatever the others of the argument are. */
const WHICH = 0xffff_ffff;

const isLimit = (index: number, limit: number) =>
  ({ index, value: WHICH, valueTwo: limit, op: 'SCMP_CMP_MASKED_EQ' }) as const;
const SET = { names: ['setrlimit'] };
const BOTH = { names: ['prlimit64'] };

/**
 * Nobody changes the limit of core files, to 0 included. Who tries is told that it is done: systemd starts no unit with
 * LimitCORE=0 otherwise, and what such a limit is for holds already. For a filter that allows what is not named.
 */
export const keepCoreLimit = (): OciSeccompRule[] => {
  const done = { action: 'SCMP_ACT_ERRNO', errnoRet: 0 } as const;
  return [
    { ...SET, ...done, args: [isLimit(0, RLIMIT_CORE)] },
    // Its third argument is the new limit, where one is given.
    { ...BOTH, ...done, args: [isLimit(1, RLIMIT_CORE), { index: 2, value: 1, op: 'SCMP_CMP_GE' }] },
  ];
};

/** The same for a filter that allows nothing else: all other limits may be changed. */
export function limitRules(): OciSeccompRule[] {
  const others = Array.from({ length: RLIMITS_END }, (_, limit) => limit).filter(
    (limit) => limit !== RLIMIT_CORE,
  );
  const allowed = { action: 'SCMP_ACT_ALLOW' } as const;
  return [
    ...others.map((limit): OciSeccompRule => ({ ...SET, ...allowed, args: [isLimit(0, limit)] })),
    ...others.map((limit): OciSeccompRule => ({ ...BOTH, ...allowed, args: [isLimit(1, limit)] })),
    {
      ...BOTH,
      ...allowed,
      args: [isLimit(1, RLIMIT_CORE), { index: 2, value: 0, op: 'SCMP_CMP_EQ' }],
    },
    ...keepCoreLimit(),
  ];
}
