import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/host/run.ts';

/** Somebody with an OpenPGP key of their own, made by gpg(1) in a folder. Leaving the scope ends gpg's helpers. */
export class Signer implements AsyncDisposable {
  readonly name: string;
  readonly #folder: string;
  #made = 0;

  private constructor(folder: string, name: string) {
    this.name = name;
    this.#folder = folder;
  }

  /** Where programs that sign by themselves find the key. */
  get environment(): { readonly GNUPGHOME: string } {
    return { GNUPGHOME: this.#folder };
  }

  static async open(folder: string, name: string): Promise<Signer> {
    const signer = new Signer(join(folder, name), name);
    mkdirSync(signer.#folder, { mode: 0o700 });
    await signer.#gpg('--quick-generate-key', `${name} <${name}@images.test>`, 'ed25519', 'sign', 'never');
    return signer;
  }

  /** A detached signature, binary or armored. */
  async sign(bytes: Buffer, ...options: readonly string[]): Promise<Buffer> {
    return this.#written(bytes, '--detach-sign', ...options);
  }

  /** Signs a file; the signature lies beside it as FILE.sig. */
  async signFile(path: string): Promise<void> {
    await this.#gpg('--output', `${path}.sig`, '--detach-sign', path);
  }

  /** The message with its signature in one. */
  async signInline(bytes: Buffer): Promise<Buffer> {
    return this.#written(bytes, '--sign');
  }

  async keys(...options: readonly string[]): Promise<Buffer> {
    const path = this.#path();
    await this.#gpg('--output', path, '--export', ...options);
    return readFileSync(path);
  }

  /** From now on its keys say that the key is no longer to be trusted. */
  async revoke(): Promise<void> {
    const [, fingerprint = ''] =
      /^fpr:+([0-9A-F]+):/m.exec(await this.#gpg('--with-colons', '--list-keys')) ?? [];
    const certificate = join(this.#folder, 'openpgp-revocs.d', `${fingerprint}.rev`);
    // A colon guards it against being taken by accident.
    writeFileSync(certificate, readFileSync(certificate, 'utf8').replace(/^:-----/m, '-----'));
    await this.#gpg('--import', certificate);
  }

  async #written(bytes: Buffer, ...how: readonly string[]): Promise<Buffer> {
    const path = this.#path();
    writeFileSync(path, bytes);
    await this.#gpg('--output', `${path}.made`, ...how, path);
    return readFileSync(`${path}.made`);
  }

  #path(): string {
    this.#made += 1;
    return join(this.#folder, `file-${this.#made}`);
  }

  async #gpg(...args: readonly string[]): Promise<string> {
    const { stdout } = await run([
      'gpg',
      '--homedir',
      this.#folder,
      '--batch',
      '--quiet',
      '--passphrase',
      '',
      ...args,
    ]);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(['gpgconf', '--homedir', this.#folder, '--kill', 'all']);
  }
}
