import type { OciSeccomp, OciSeccompRule } from '../../host/oci/config.ts';
import { LIMIT_CALLS, limitRules } from '../../host/oci/core-files.ts';
import { ALLOWED, CLOSED_FAMILIES, FORBIDDEN } from '../system-calls/system-calls.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
/** Of socket(2): a number that no family has yet; all from here on are closed. */
const FAMILIES_END = 46;

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
          .filter((name) => !LIMIT_CALLS.includes(name)),
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
