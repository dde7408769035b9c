import { MullionError } from '../contract/errors.ts';

/** What apt and dpkg begin a message of failure with. */
const COMPLAINT = /^(?:E|Err|dpkg: error)\b/;
const LIMIT = 40;

/** The failure of a build's step, in the words of the program that failed; cancelling and an unfit host stay as they are. */
export function buildFailure(failure: unknown, step: string): unknown {
  if (failure instanceof MullionError && ['cancelled', 'host_unfit', 'build_failed'].includes(failure.code)) {
    return failure;
  }
  const output = failure instanceof MullionError ? String(failure.details.stderr ?? '') : '';
  const reason = reasonOf(output) ?? (failure instanceof Error ? failure.message : String(failure));
  const details = failure instanceof MullionError ? failure.details : {};
  return new MullionError('build_failed', `The image could not be built: ${step} failed: ${reason}`, {
    remedy: remedyOf(output),
    details: { ...details, stderr: output.split('\n').slice(-LIMIT).join('\n') },
    cause: failure,
  });
}

/** The first complaint, which names the package or the address; later ones follow from it. */
export function reasonOf(output: string): string | undefined {
  const complaints = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => COMPLAINT.test(line));
  const [first] = complaints;
  return first === undefined ? undefined : withoutHosts(first.replace(/^E: /, ''), output);
}

/** Which mirror a host uses is its own affair: messages travel further than logs. The details keep it. */
function withoutHosts(text: string, output: string): string {
  const hosts = new Set([...output.matchAll(/\b[a-z+]+:\/\/([^/\s]+)/g)].map(([, host = '']) => host));
  let result = text.replaceAll(/\b[a-z+]+:\/\/[^/\s]+/g, 'mirror:');
  for (const host of hosts) result = result.replaceAll(host, 'the mirror');
  return result.replaceAll(/ ?\((?:\d{1,3}\.){3}\d{1,3}\)| ?\([0-9a-f:]+:[0-9a-f:]+\)/g, '');
}

function remedyOf(output: string): string {
  if (/Unable to locate package|has no installation candidate/.test(output)) {
    return 'Correct the package name, or choose a suite that has it: mullion image build NAME --suite bookworm --include PACKAGE';
  }
  if (/does not have a Release file/.test(output)) {
    return 'The mirror of this host does not have that suite: choose another, or another mirror in /etc/apt';
  }
  return 'Correct the cause and run the same build again: it resumes with what it has downloaded.';
}
