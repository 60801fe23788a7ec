import { writeFile } from 'node:fs/promises';
import { makeKeyPair } from '@holdfast/model-bundle';
import type { Command } from './command.ts';
import { PASSPHRASE_HELP, PASSPHRASE_OPTIONS, passphraseOf } from './key-options.ts';

interface Made {
  id: string;
  privateKey: string;
  publicKey: string;
  encrypted: boolean;
}

export const keygen: Command = {
  name: 'keygen',
  summary: 'make a key pair to sign bundles with',
  usage: '<name> [--passphrase-file <file>]',
  help: `Writes <name>.pem, the private key, for you alone, and <name>.pub.pem, the public key, for every site that is to
accept what you sign (HOLDFAST_MODEL_KEYS). ECDSA on P-256. Files that exist are never overwritten.

With a passphrase the private key is encrypted (PKCS#8, AES-256).

${PASSPHRASE_HELP}`,
  positionals: { min: 1, max: 1 },
  options: PASSPHRASE_OPTIONS,
  async run(run): Promise<Made> {
    const name = String(run.positionals[0]).replace(/\.pem$/, '');
    const passphrase = await passphraseOf(run);
    const { privatePem, publicPem, id } = makeKeyPair(passphrase);
    const made = {
      id,
      privateKey: `${name}.pem`,
      publicKey: `${name}.pub.pem`,
      encrypted: passphrase !== undefined,
    };
    await writeFile(made.privateKey, privatePem, { flag: 'wx', mode: 0o600 });
    await writeFile(made.publicKey, publicPem, { flag: 'wx' });
    return made;
  },
  show({ id, privateKey, publicKey, encrypted }: Made, terminal): void {
    terminal.out(`private key  ${privateKey}${encrypted ? '' : '  (not encrypted: keep it safe)'}`);
    terminal.out(`public key   ${publicKey}`);
    terminal.out(`id           ${id}`);
  },
};
