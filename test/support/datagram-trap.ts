import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const LISTEN = `$| = 1; socket(my $s, 1, 2, 0) or die; unlink $ARGV[0]; bind($s, pack('S', 1) . $ARGV[0]) or die $!;
chmod 0777, $ARGV[0]; print "ready\\n"; while (defined recv($s, my $m, 65536, 0)) { print "heard\\n" }`;

/** A socket of datagrams at a path, which counts what it gets. */
export class DatagramTrap implements AsyncDisposable {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
    });
  }

  static async set(path: string): Promise<DatagramTrap> {
    const child = spawn('perl', ['-e', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const trap = new DatagramTrap(child);
    await once(child.stdout, 'data');
    return trap;
  }

  heard(): number {
    return this.#text.split('heard').length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
