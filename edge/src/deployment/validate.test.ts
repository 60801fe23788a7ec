// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the tools look like that
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { validateProject } from './validate.ts';

interface Files {
  template?: string;
  env?: string;
  modules?: Record<string, unknown>;
}

const aModule = (repository: string) => ({
  image: { repository, tag: { version: '1', platforms: { amd64: './Dockerfile' } } },
});

const aTemplate = (parts: { image?: string; route?: string; value?: string } = {}): string =>
  JSON.stringify({
    '$schema-template': '4.0.0',
    modulesContent: {
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: { type: 'docker', settings: {} },
          systemModules: {
            edgeAgent: { type: 'docker', settings: { image: 'a' } },
            edgeHub: { type: 'docker', settings: { image: 'h' } },
          },
          modules: {
            m: {
              type: 'docker',
              settings: { image: parts.image ?? '${MODULES.m}' },
              env: { V: { value: parts.value ?? '$SITE' } },
            },
          },
        },
      },
      $edgeHub: {
        'properties.desired': {
          schemaVersion: '1.2',
          routes: { r: parts.route ?? 'FROM /messages/modules/m/* INTO $upstream' },
        },
      },
    },
  });

function validate({
  template = aTemplate(),
  env = 'SITE=\n',
  modules = { m: aModule('r/m') },
}: Files) {
  const folder = temporaryFolder();
  for (const [name, file] of Object.entries(modules)) {
    mkdirSync(path.join(folder, 'modules', name), { recursive: true });
    writeFileSync(path.join(folder, 'modules', name, 'module.json'), JSON.stringify(file));
  }
  writeFileSync(path.join(folder, 'deployment.template.json'), template);
  writeFileSync(path.join(folder, '.env.template'), env);
  return validateProject({ template: path.join(folder, 'deployment.template.json') });
}

describe('validateProject', () => {
  it('finds nothing in a template where everything agrees, and needs no secrets for that', () => {
    expect(validate({})).toEqual({ errors: [], warnings: [] });
  });

  it.each<[string, Files, RegExp]>([
    [
      'a placeholder without a folder',
      { template: aTemplate({ image: '${MODULES.x}' }) },
      /modules\/x\/module\.json/,
    ],
    [
      'a variable that .env.template does not explain',
      { env: '' },
      /^SITE: .*no entry in \.env\.template/,
    ],
    [
      'a route that does not compile',
      { template: aTemplate({ route: 'FROM /* WHERE a == 1 INTO $upstream' }) },
      /routes\.r: does not compile.*column 18/,
    ],
    [
      'a broken module.json',
      { modules: { m: { image: {} } } },
      /modules\/m\/module\.json: image\.repository is missing/,
    ],
    ['text that is no JSON', { template: '{' }, /not JSON/],
  ])('refuses %s', (_, files, expected) => {
    expect(validate(files).errors).toEqual(
      expect.arrayContaining([expect.stringMatching(expected)]),
    );
  });

  it.each<[string, Files, RegExp]>([
    [
      'a folder that nobody uses',
      { modules: { m: aModule('r/m'), n: aModule('r/n') } },
      /^modules\/n: /,
    ],
    ['an entry of .env.template that nobody uses', { env: 'SITE=\nOLD=\n' }, /^OLD: /],
    [
      'a route to a module that is not there',
      {
        template: aTemplate({
          route: 'FROM /messages/* INTO BrokeredEndpoint("/modules/x/inputs/i")',
        }),
      },
      /ends at the module x/,
    ],
    [
      'a route from a module that is not there',
      { template: aTemplate({ route: 'FROM /messages/modules/x/* INTO $upstream' }) },
      /begins at the module x/,
    ],
  ])('warns of %s', (_, files, expected) => {
    const { errors, warnings } = validate(files);
    expect(errors).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(expected)]);
  });
});
