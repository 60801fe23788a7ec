import { type PushedBundle, pushBundle } from '@holdfast/model-bundle';
import type { Command } from './command.ts';
import { REACH_HELP, REACH_OPTIONS, REF_HELP, reachOptionsOf } from './reach-options.ts';

export const push: Command = {
  name: 'push',
  summary: 'bring a bundle to a stick, a web server or a registry',
  usage: '<folder> <ref> [--credentials <file>]',
  help: `Checks the digests of a bundle and brings it to where the ref says: a folder gets it as a folder in it, a URL gets its files
below it by PUT, a registry gets an artifact under the tag, which \`oras pull\` gives as the folder again. What is there
already is not sent again. Prints the ref and the digest, as a twin names them.

${REF_HELP}

${REACH_HELP}`,
  positionals: { min: 2, max: 2 },
  options: REACH_OPTIONS,
  async run(run): Promise<PushedBundle> {
    const [folder = '', ref = ''] = run.positionals;
    return pushBundle(folder, ref, {
      ...(await reachOptionsOf(run)),
      onProgress: (done, total) => run.progress('push', done, total),
    });
  },
  show({ ref, digest }: PushedBundle, terminal): void {
    terminal.out(`ref     ${ref}`);
    terminal.out(`digest  ${digest}`);
  },
};
