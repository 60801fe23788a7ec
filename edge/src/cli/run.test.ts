import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { run } from './run.ts';
import { table } from './terminal.ts';

async function cli(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const out: string[] = [];
  const error: string[] = [];
  const code = await run(args, {
    out: (line) => out.push(line),
    error: (line) => error.push(line),
    environment: { REGISTRY: 'r.example' },
    interrupted: Promise.resolve(),
  });
  return { code, out: out.join('\n'), error: error.join('\n') };
}

function aProject(image = '$REGISTRY/m:1'): string {
  const folder = temporaryFolder();
  const system = { type: 'docker', settings: { image: 'mcr/x:1' } };
  const template = {
    '$schema-template': '4.0.0',
    modulesContent: {
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: { type: 'docker', settings: {} },
          systemModules: { edgeAgent: system, edgeHub: system },
          modules: { m: { type: 'docker', settings: { image, createOptions: { Env: ['A=1'] } } } },
        },
      },
      $edgeHub: { 'properties.desired': { schemaVersion: '1.2', routes: {} } },
    },
  };
  writeFileSync(path.join(folder, 'deployment.template.json'), JSON.stringify(template));
  return folder;
}

describe('the command line', () => {
  it.each([
    [['--help'], 0, /up.*start a deployment/],
    [['up', '--help'], 0, /--state <folder>/],
    [['manifest', '-h'], 0, /--out <file>/],
    [['validate', '--help'], 0, /Exit codes/],
    [['help', 'logs'], 0, /--since <time>/],
    [[], 2, /Usage/],
  ])('%j ends with %i and help', async (args, code, text) => {
    const result = await cli(...args);
    expect(result.code).toBe(code);
    expect(result.out).toMatch(text);
  });

  it.each([
    [['fly'], 2, /no command fly, only up, manifest/],
    [['up', '--colour'], 2, /--colour/],
    [['up', 'x'], 2, /takes no argument x/],
    [['up', '--template', 'a', '--manifest', 'b'], 2, /not both/],
    [['up', '--backoff-scale', 'fast'], 2, /must be a number from 0 to 1000/],
    [['up', '--env', '/nowhere/.env'], 2, /no file/],
    [['validate', '--template', '/nowhere/t.json'], 1, /cannot read/],
    [['ps', '--state', '/nowhere'], 1, /no edge is up in \/nowhere/],
    [['method', 'm'], 2, /needs the name of a method/],
    [['twin', 'm', '{', '--state', '/nowhere'], 2, /not JSON/],
    [['link', 'sideways'], 2, /"up" or "down"/],
    [['logs', 'm', '--level', '9'], 2, /from 0 to 7/],
  ])('%j ends with %i and says why', async (args, code, text) => {
    const result = await cli(...args);
    expect(result.code).toBe(code);
    expect(result.error).toMatch(text);
  });

  it('writes a manifest beside the template, for its owner only', async () => {
    const folder = aProject();
    const result = await cli(
      'manifest',
      '--template',
      path.join(folder, 'deployment.template.json'),
    );
    expect(result).toMatchObject({ code: 0, error: '' });
    const text = readFileSync(path.join(folder, 'config', 'deployment.amd64.json'), 'utf8');
    const { modulesContent } = JSON.parse(text);
    expect(modulesContent.$edgeAgent['properties.desired'].modules.m.settings).toEqual({
      image: 'r.example/m:1',
      createOptions: '{"Env":["A=1"]}',
    });
  });

  it('writes no manifest when something is wrong', async () => {
    const folder = aProject('$' + '{MODULES.nothing}');
    mkdirSync(path.join(folder, 'modules'));
    const result = await cli(
      'manifest',
      '-t',
      path.join(folder, 'deployment.template.json'),
      '-o',
      '-',
    );
    expect(result.code).toBe(1);
    expect(result.error).toContain('modules/nothing/module.json');
    expect(result.out).toBe('');
  });
});

describe('table', () => {
  it('lines columns up', () => {
    expect(
      table([
        ['A', 'LONG', 'x'],
        ['longer', 'b', ''],
      ]),
    ).toEqual(['A       LONG  x', 'longer  b']);
  });
});
