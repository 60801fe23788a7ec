import { trustIn, verifyBundle } from '@holdfast/model-bundle';
import type { Command } from './command.ts';
import { trustedKeysOf } from './key-options.ts';

interface Verified {
  name: string;
  version: string;
  digest: string;
  signedBy: string | null;
}

export const verify: Command = {
  name: 'verify',
  summary: 'check a bundle as a site would, without running the model',
  usage: '<folder> [--key <public.pem>]... [--unsigned]',
  help: `Checks files, digests, schema, the ONNX file and the golden inputs, and, with a key, the signature over all of it.

  --key <public.pem>  public key that is trusted; may come several times, and a file may hold several
  --unsigned          accept a bundle without a signature although keys are given; one that is there must hold`,
  positionals: { min: 1, max: 1 },
  options: {
    key: { type: 'string', multiple: true },
    unsigned: { type: 'boolean' },
  },
  async run(run): Promise<Verified> {
    const keys = await trustedKeysOf(run);
    const policy = trustIn(keys, run.flag('unsigned') ? 'optional' : undefined);
    const { identity, signedBy } = await verifyBundle(String(run.positionals[0]), policy);
    return { ...identity, signedBy: signedBy ?? null };
  },
  show({ name, version, digest, signedBy }: Verified, terminal): void {
    terminal.out(`${name} ${version} is whole`);
    terminal.out(`digest     ${digest}`);
    terminal.out(`signed by  ${signedBy ?? 'nobody that was asked for'}`);
  },
};
