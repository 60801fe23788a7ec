import { check, describeProblems } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { settings } from '../config.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const problemsOf = (models: unknown): string => {
  const checked = check(settings, { models });
  return checked.ok ? '' : describeProblems(checked.problems);
};
const slot = (given: Record<string, unknown> = {}) => ({
  ref: 'https://models.example/pump',
  digest: DIGEST,
  ...given,
});

describe('the setting models', () => {
  it('is empty by default, and a slot is active by default', () => {
    expect(settings.parse({}).models).toEqual({});
    expect(settings.parse({ models: { pump: slot() } }).models.pump?.role).toBe('active');
  });

  it('takes several active models, a canary with its share, a shadow and one to serve', () => {
    const models = {
      pump: slot(),
      fan: slot({ ref: '/media/usb/fan', digest: undefined }),
      next: slot({ role: 'canary', share: 0.25 }),
      trial: slot({ role: 'shadow' }),
      camera: slot({ role: 'serve' }),
    };
    expect(problemsOf(models)).toBe('');
  });

  it.each([
    [
      'a share without a canary',
      { pump: slot({ share: 0.5 }) },
      'models.pump.share: 0.5 is not allowed, must be left out unless the role is "canary"',
    ],
    [
      'a download that nothing identifies',
      { pump: slot({ digest: undefined }) },
      'models.pump.digest: is missing, must be sha256:<hex> unless the ref is a folder',
    ],
    [
      'a candidate with nothing to compare it with',
      { next: slot({ role: 'canary' }), camera: slot({ role: 'serve' }) },
      'models.next.role: "canary" is not allowed, must be "active" or "serve" while no slot is active',
    ],
    [
      'a folder that is relative to nowhere',
      { pump: slot({ ref: 'model' }) },
      'models.pump.ref: "model" must be an absolute path',
    ],
    [
      'a source of an unknown kind',
      { pump: slot({ ref: 'ftp://models.example/pump' }) },
      'must be a path, file:///path, https://host/path',
    ],
    ['the name of the mounted folder', { mounted: slot() }, 'must not be "mounted"'],
    ['a name that a twin key cannot have', { 'a.b': slot() }, 'must be letters, digits, _ and -'],
    ['an unknown field', { pump: slot({ shares: 1 }) }, 'models.pump.shares: is not a known name'],
    [
      'a digest of another kind',
      { pump: slot({ digest: 'md5:0' }) },
      'must be sha256: and 64 hexadecimal digits',
    ],
    ['an unknown role', { pump: slot({ role: 'main' }) }, 'models.pump.role: "main"'],
    [
      'too many slots',
      Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`s${at}`, slot()])),
      'must have at most 16 slots',
    ],
  ])('refuses %s, and says where', (_, models, text) => {
    expect(problemsOf(models)).toContain(text);
  });
});
