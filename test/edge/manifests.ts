import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

type Tree = Record<string, unknown>;

/** Writes a manifest with these modules; returns its path. Its modules' code is in the same folder. */
export function aManifest(
  folder: string,
  parts: { modules: Tree; agentEnv?: Tree; routes?: Tree },
): string {
  const system = { type: 'docker', settings: { image: 'mcr/x:1' } };
  const file = path.join(folder, 'deployment.json');
  const manifest = {
    modulesContent: {
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: { type: 'docker', settings: {} },
          systemModules: { edgeAgent: { ...system, env: parts.agentEnv ?? {} }, edgeHub: system },
          modules: parts.modules,
        },
      },
      $edgeHub: { 'properties.desired': { schemaVersion: '1.2', routes: parts.routes ?? {} } },
    },
  };
  writeFileSync(file, JSON.stringify(manifest));
  return file;
}

/** Writes a module of one script into `<folder>/modules` and returns its entry of the manifest. */
export function aModule(
  folder: string,
  name: string,
  {
    script = 'setInterval(() => {}, 1e6)',
    createOptions,
    ...rest
  }: { script?: string; createOptions?: Tree } & Tree,
): Tree {
  const home = path.join(folder, 'modules', name);
  mkdirSync(home, { recursive: true });
  const image = { repository: `r/${name}`, tag: { version: '1', platforms: { amd64: './D' } } };
  writeFileSync(path.join(home, 'module.json'), JSON.stringify({ image }));
  writeFileSync(path.join(home, 'package.json'), JSON.stringify({ name, main: 'app.cjs' }));
  writeFileSync(path.join(home, 'app.cjs'), script);
  return {
    type: 'docker',
    settings: {
      image: `r/${name}:1-amd64`,
      ...(createOptions === undefined ? {} : { createOptions: JSON.stringify(createOptions) }),
    },
    ...rest,
  };
}
