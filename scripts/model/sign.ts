import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readPrivateKey, SIGNATURE, signBundle, trustedKeyOf } from '@holdfast/model-bundle';
import type { Command } from './command.ts';
import { needed, PASSPHRASE_HELP, PASSPHRASE_OPTIONS, passphraseOf } from './key-options.ts';

interface Signed {
  signature: string;
  signedBy: string;
}

export const sign: Command = {
  name: 'sign',
  summary: 'sign every file of a bundle',
  usage: '<folder> --key <private.pem> [--passphrase-file <file>]',
  help: `Checks the bundle and writes model.sig into its folder, in place of one that is there: a signature over every file, in
the format of OpenSSF Model Signing (key method), so that its tools can check it too:
  model_signing verify key <folder> --signature <folder>/model.sig --public_key <public.pem>
Any change to the folder afterwards, a file added included, makes the signature void.

  --key <private.pem>       private key, ECDSA P-256 (see keygen)
${PASSPHRASE_HELP}`,
  positionals: { min: 1, max: 1 },
  options: { key: { type: 'string' }, ...PASSPHRASE_OPTIONS },
  async run(run): Promise<Signed> {
    const folder = String(run.positionals[0]);
    const pem = await readFile(needed(run, 'key'), 'utf8');
    const key = readPrivateKey(pem, await passphraseOf(run));
    await signBundle(folder, key);
    const signedBy = trustedKeyOf(createPublicKey(key)).id;
    return { signature: path.join(folder, SIGNATURE), signedBy };
  },
  show({ signature, signedBy }: Signed, terminal): void {
    terminal.out(`${signature}`);
    terminal.out(`signed by ${signedBy}`);
  },
};
