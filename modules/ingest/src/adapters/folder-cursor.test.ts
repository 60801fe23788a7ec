import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { FolderCursor } from './folder-cursor.ts';

const position = { file: '1-2-3-4', offset: 1234, line: 56, accepted: 50, refused: 5 };
const start = { file: '1-2-3-4', offset: 0, line: 1, accepted: 0, refused: 0 };

describe('FolderCursor', () => {
  it('gives back what was written, for that file only', () => {
    const cursor = new FolderCursor(join(temporaryFolder(), 'cursor.json'));
    cursor.write(position);
    expect(cursor.read('1-2-3-4')).toEqual(position);
    expect(cursor.read('other')).toEqual({ ...start, file: 'other' });
  });

  it('begins at the start, or stays, but never jumps, when a bit flips', () => {
    const path = join(temporaryFolder(), 'cursor.json');
    const cursor = new FolderCursor(path);
    cursor.write(position);
    const whole = readFileSync(path);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      expect([position, start]).toContainEqual(cursor.read('1-2-3-4'));
    }
  });

  it('reads what a version without checksum has written', () => {
    const path = join(temporaryFolder(), 'cursor.json');
    writeFileSync(path, JSON.stringify(position));
    expect(new FolderCursor(path).read('1-2-3-4')).toEqual(position);
  });
});
