import type { OciSeccomp, OciSeccompRule } from '../../host/oci/config.ts';
import { ALLOWED, CLOSED_FAMILIES, FORBIDDEN } from '../system-calls/system-calls.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
/** Of socket(2): a number that no family has yet; all from here on are closed. */
const FAMILIES_END = 46;

/** Their arguments decide. */
const LOOKED_INTO: readonly string[] = ['setrlimit', 'prlimit64'];
/** Of <asm-generic/resource.h>. */
const RLIMIT_CORE = 4;
const RLIMITS_END = 16;
/** The kernel takes 32 bits of which limit is meant, whatever the others of the argument are. */
const WHICH = 0xffff_ffff;

/**
 * One set of numbers each: the 32-bit calls of a 64-bit processor are a second, less looked at way into the kernel, on
 * which socketcall(2) would hide its arguments from a filter.
 */
const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  x64: ['SCMP_ARCH_X86_64'],
  arm64: ['SCMP_ARCH_AARCH64'],
};

/** Filter of system calls (seccomp(2)) for a VPS on a processor of this kind: what is not named does not exist. */
export function seccompProfile(architecture: NodeJS.Architecture): OciSeccomp {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls: [
      {
        names: Object.values(ALLOWED)
          .flat()
          .filter((name) => !LOOKED_INTO.includes(name)),
        action: 'SCMP_ACT_ALLOW',
      },
      { names: FORBIDDEN, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      ...socketRules(),
      ...limitRules(),
    ],
  };
}

/** libseccomp takes one comparison of an argument in a rule, so each open family has a rule of its own. */
function socketRules(): OciSeccompRule[] {
  const rule = (
    value: number,
    op: 'SCMP_CMP_EQ' | 'SCMP_CMP_GE',
    answer: Pick<OciSeccompRule, 'action' | 'errnoRet'>,
  ): OciSeccompRule => ({ names: ['socket'], ...answer, args: [{ index: 0, value, op }] });
  const open = Array.from({ length: FAMILIES_END }, (_, family) => family).filter(
    (family) => !CLOSED_FAMILIES.includes(family),
  );
  const closed = { action: 'SCMP_ACT_ERRNO', errnoRet: EAFNOSUPPORT } as const;
  return [
    ...open.map((family) => rule(family, 'SCMP_CMP_EQ', { action: 'SCMP_ACT_ALLOW' })),
    ...CLOSED_FAMILIES.map((family) => rule(family, 'SCMP_CMP_EQ', closed)),
    rule(FAMILIES_END, 'SCMP_CMP_GE', closed),
  ];
}

/**
 * Nobody changes the limit of core files (CORE_SIZE in render.ts), 0 included. Who tries is told that it is done: systemd
 * starts no unit with LimitCORE=0 otherwise, and what such a limit is for holds already.
 */
function limitRules(): OciSeccompRule[] {
  const others = Array.from({ length: RLIMITS_END }, (_, limit) => limit).filter(
    (limit) => limit !== RLIMIT_CORE,
  );
  const isLimit = (index: number, limit: number) =>
    ({ index, value: WHICH, valueTwo: limit, op: 'SCMP_CMP_MASKED_EQ' }) as const;
  const done = { action: 'SCMP_ACT_ERRNO', errnoRet: 0 } as const;
  const allowed = { action: 'SCMP_ACT_ALLOW' } as const;
  const [set, both] = [{ names: ['setrlimit'] }, { names: ['prlimit64'] }];
  const core = isLimit(1, RLIMIT_CORE);
  return [
    ...others.map((limit): OciSeccompRule => ({ ...set, ...allowed, args: [isLimit(0, limit)] })),
    { ...set, ...done, args: [isLimit(0, RLIMIT_CORE)] },
    ...others.map((limit): OciSeccompRule => ({ ...both, ...allowed, args: [isLimit(1, limit)] })),
    // Its third argument is the new limit, where one is given.
    { ...both, ...allowed, args: [core, { index: 2, value: 0, op: 'SCMP_CMP_EQ' }] },
    { ...both, ...done, args: [core, { index: 2, value: 1, op: 'SCMP_CMP_GE' }] },
  ];
}
