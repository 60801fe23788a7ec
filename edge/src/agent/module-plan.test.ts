import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { readManifest } from '../deployment/deployment.ts';
import { findModuleCode, repositoryOf } from './image-folders.ts';
import { checkRunnable, urlOf } from './module-plan.ts';

describe('checkRunnable', () => {
  it('names every variable that has no value, where it is used', () => {
    const system = { type: 'docker', settings: { image: 'mcr/x:1' } };
    const createOptions = JSON.stringify({ HostConfig: { Binds: ['$MODEL:/model'] } });
    const deployment = readManifest({
      modulesContent: {
        $edgeAgent: {
          'properties.desired': {
            schemaVersion: '1.1',
            runtime: { type: 'docker', settings: {} },
            systemModules: { edgeAgent: system, edgeHub: system },
            modules: {
              m: {
                type: 'docker',
                settings: { image: '$REGISTRY/m', createOptions },
                env: { T: { value: '$TOKEN' } },
              },
            },
          },
        },
        $edgeHub: { 'properties.desired': { schemaVersion: '1.2', routes: {} } },
      },
    });
    expect(() => checkRunnable(deployment)).toThrow(
      /env\.T: needs a value for \$TOKEN[\s\S]*createOptions: needs a value for \$MODEL/,
    );
  });
});

describe('urlOf', () => {
  const url = (
    ports: Record<string, number>,
    env: Record<string, string> = {},
  ): string | undefined => urlOf({ env, ports, nodeArguments: [], volumes: [] });

  it.each([
    [{}, {}, undefined],
    [{ INSPECTOR: 1 }, {}, undefined],
    [{ METRICS_PORT: 1, X_HTTP_PORT: 2 }, {}, 'http://127.0.0.1:2'],
    [{ X_HTTP_PORT: 2 }, { X_HTTP_TLS: 'off' }, 'http://127.0.0.1:2'],
    [{ X_HTTP_PORT: 2 }, { X_HTTP_TLS: 'workload' }, 'https://127.0.0.1:2'],
  ])('%j with %j is at %s', (ports, env, expected) => {
    expect(url(ports, env)).toBe(expected);
  });
});

describe('images and folders', () => {
  it.each([
    ['r.example:5000/Team/m:1.0-amd64', 'r.example:5000/team/m'],
    ['r.example/m@sha256:abc', 'r.example/m'],
    ['localhost:5000/m', 'localhost:5000/m'],
    ['m', 'm'],
  ])('the repository of %s is %s', (image, expected) => {
    expect(repositoryOf(image)).toBe(expected);
  });

  function aFolder(packageFile: object): string {
    const folder = path.join(temporaryFolder(), 'm');
    mkdirSync(folder);
    const image = { repository: '$REGISTRY/m', tag: { version: '1', platforms: {} } };
    writeFileSync(path.join(folder, 'module.json'), JSON.stringify({ image }));
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(packageFile));
    for (const file of ['main.js', 'index.js']) writeFileSync(path.join(folder, file), '');
    return folder;
  }

  it.each([
    [{ main: 'main.js' }, 'main.js'],
    [{ exports: { '.': './main.js' } }, 'main.js'],
    [{}, 'index.js'],
  ])('package.json %j starts %s', (packageFile, entry) => {
    const folder = aFolder(packageFile);
    const variables = { REGISTRY: 'R.example' };
    for (const where of [folder, path.dirname(folder)]) {
      expect(findModuleCode('r.example/m:1-amd64', [where], variables)).toEqual({
        folder,
        entry: path.join(folder, entry),
      });
    }
  });

  it('names the script that is not there, and the images that are', () => {
    const folder = aFolder({ main: 'gone.js' });
    expect(() => findModuleCode('$REGISTRY/m:1', [folder], {})).toThrow(
      /"main" is not there.*gone\.js/,
    );
    expect(() => findModuleCode('x/y:1', [folder], {})).toThrow(/there are \$registry\/m in/);
  });
});
