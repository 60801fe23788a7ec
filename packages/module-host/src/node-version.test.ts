import { describe, expect, it } from '@jest/globals';
import { refuseNode } from './node-version.ts';

describe('version of Node', () => {
  it('is refused below 24 with one plain sentence', () => {
    expect(refuseNode('20.20.2')).toMatch(
      /^This is Node 20\.20\.2; Holdfast needs Node 24 or newer\./,
    );
    expect(refuseNode('20.20.2')).not.toContain('\n');
  });

  it('is accepted from 24 on', () => {
    expect(refuseNode('24.0.0')).toBeUndefined();
    expect(refuseNode('100.1.0')).toBeUndefined();
  });
});
