import { type FetchedBundle, fetchBundle, trustIn, verifyBundle } from '@holdfast/model-bundle';
import type { Command } from './command.ts';
import { needed, trustedKeysOf } from './key-options.ts';
import { REACH_HELP, REACH_OPTIONS, REF_HELP, reachOptionsOf } from './reach-options.ts';

interface Pulled extends FetchedBundle {
  name: string;
  version: string;
  signedBy: string | null;
}

export const pull: Command = {
  name: 'pull',
  summary: 'fetch a bundle from a folder, a web server or a registry, and check it',
  usage: '<ref> --into <folder> [--digest <sha256:...>] [--key <public.pem>]...',
  help: `Fetches a bundle into <folder>/sha256-<hex of its digest>, where it appears whole and verified or not at all, and checks it
as verify does. A pull that ended early is gone on with by the same command.

${REF_HELP}

  --into <folder>        store of bundles; made when it is not there
  --digest <sha256:...>  digest that the bundle must have (of model.json, as pack and verify print it). Needed where a folder
                         holds several bundles
  --key <public.pem>     public key that is trusted; may come several times, and a file may hold several
  --unsigned             accept a bundle without a signature although keys are given; one that is there must hold
${REACH_HELP}`,
  positionals: { min: 1, max: 1 },
  options: {
    into: { type: 'string' },
    digest: { type: 'string' },
    key: { type: 'string', multiple: true },
    unsigned: { type: 'boolean' },
    ...REACH_OPTIONS,
  },
  async run(run): Promise<Pulled> {
    const policy = trustIn(await trustedKeysOf(run), run.flag('unsigned') ? 'optional' : undefined);
    const fetched = await fetchBundle(String(run.positionals[0]), run.text('digest'), {
      ...(await reachOptionsOf(run)),
      into: needed(run, 'into'),
      onProgress: ({ file, bytesDone, bytesTotal }) => run.progress(file, bytesDone, bytesTotal),
    });
    const { identity, signedBy } = await verifyBundle(fetched.folder, policy);
    return { ...identity, ...fetched, signedBy: signedBy ?? null };
  },
  show(pulled: Pulled, terminal): void {
    terminal.out(pulled.folder);
    terminal.out(`${pulled.name} ${pulled.version}`);
    terminal.out(`digest     ${pulled.digest}`);
    if (pulled.manifestDigest !== undefined) terminal.out(`manifest   ${pulled.manifestDigest}`);
    terminal.out(`signed by  ${pulled.signedBy ?? 'nobody that was asked for'}`);
    terminal.out(`fetched    ${pulled.bytesFetched} bytes`);
  },
};
