import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { controlSocketOf, StateFolder } from './state-folder.ts';

const open = new Set<StateFolder>();
const openFolder = (folder: string): StateFolder => {
  const state = StateFolder.open(folder);
  open.add(state);
  return state;
};

afterEach(() => {
  for (const state of open) state.close();
  open.clear();
});

describe('StateFolder', () => {
  it('keeps identity, keys and ports over restarts', () => {
    const folder = temporaryFolder();
    const first = openFolder(folder);
    const before = [first.deviceId, first.key('m'), first.generationId('m'), first.key('n')];
    first.setPort('m/8080', 4711);
    first.close();
    const second = openFolder(folder);
    expect([second.deviceId, second.key('m'), second.generationId('m'), second.key('n')]).toEqual(
      before,
    );
    expect(second.port('m/8080')).toBe(4711);
    expect(second.port('n/8080')).toBeUndefined();
    expect(new Set(before).size).toBe(4);
    expect(Buffer.from(second.key('m'), 'base64')).toHaveLength(32);
  });

  it('is for its owner only', () => {
    const state = openFolder(path.join(temporaryFolder(), 'state'));
    state.key('m');
    expect(statSync(state.root).mode & 0o077).toBe(0);
    expect(statSync(state.path('edge.json')).mode & 0o077).toBe(0);
    expect(statSync(state.sockets).mode & 0o077).toBe(0);
  });

  it('is open once at a time, and free again after a process that is gone', () => {
    const folder = temporaryFolder();
    const state = openFolder(folder);
    expect(() => StateFolder.open(folder)).toThrow(/already runs an edge/);
    state.close();
    // No process has an id beyond the kernel's largest.
    writeFileSync(path.join(folder, 'supervisor.pid'), '99999999');
    expect(controlSocketOf(folder)).toBeUndefined();
    expect(() => openFolder(folder)).not.toThrow();
  });

  it('has sockets with a short path however long its own is, and cleans up after itself', () => {
    const folder = path.join(temporaryFolder(), 'x'.repeat(120));
    const state = openFolder(folder);
    expect(Buffer.byteLength(state.socket('workload'))).toBeLessThan(100);
    expect(controlSocketOf(folder)).toBe(state.socket('control'));
    const { sockets } = state;
    state.close();
    expect(existsSync(sockets)).toBe(false);

    mkdirSync(sockets);
    openFolder(folder);
    expect(existsSync(sockets)).toBe(false);
  });
});
