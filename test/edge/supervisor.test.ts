/*
 * Goal: the supervisor does what edgeAgent does: start order, restarts with back-off, stop, logs, and a state that
 * survives. Method: real processes with real signals, on a clock fifty times as fast; nothing is timed, only order
 * and outcome are looked at.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startEdge } from '@holdfast/edge';
import { ChildProcess, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { aManifest, aModule } from './manifests.ts';
import { lineOf, post, ready, startScene, statusOf, stopScenes } from './scene.ts';

afterEach(async () => {
  await stopScenes();
  await ChildProcess.killAll();
});

const isAlive = (pid: number | undefined): boolean => {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('starting', () => {
  it('follows startupOrder and keeps stopped modules stopped', async () => {
    const folder = temporaryFolder('edge');
    const manifest = aManifest(folder, {
      modules: {
        third: aModule(folder, 'third', { startupOrder: 3 }),
        last: aModule(folder, 'last', {}),
        first: aModule(folder, 'first', { startupOrder: 1 }),
        idle: aModule(folder, 'idle', { startupOrder: 2, status: 'stopped' }),
      },
    });
    const { edge, events } = await startScene({ manifest });
    const started = events.flatMap((event) => (event.kind === 'started' ? [event.id] : []));
    expect(started.filter((id) => id !== 'cloud')).toEqual(['edgeHub', 'first', 'third', 'last']);
    expect(statusOf(edge, 'idle')).toMatchObject({ state: 'stopped', restarts: 0 });
  });

  it('refuses by name what it does not simulate, before anything runs', async () => {
    const folder = temporaryFolder('edge');
    const manifest = aManifest(folder, {
      modules: {
        m: aModule(folder, 'm', {
          createOptions: { HostConfig: { Privileged: true, NetworkMode: 'host' } },
        }),
      },
    });
    const stateDir = path.join(folder, 'state');
    const failure = await startEdge({ manifest, stateDir }).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'EDGE_NOT_SIMULATED' });
    expect((failure as Error).message).toMatch(/Privileged.*not simulated[\s\S]*NetworkMode/);
    expect(existsSync(stateDir)).toBe(false);
  });

  it('names the image for which there is no code', async () => {
    const folder = temporaryFolder('edge');
    const module = aModule(folder, 'm', {});
    const manifest = aManifest(folder, {
      modules: { m: { ...module, settings: { image: 'registry.example/other:1-amd64' } } },
    });
    await expect(
      startEdge({ manifest, stateDir: path.join(folder, 'state') }),
    ).rejects.toMatchObject({ code: 'EDGE_MODULE_UNKNOWN' });
  });

  it('refuses a state folder that another edge works on', async () => {
    const { stateDir } = await startScene();
    await expect(startScene({ stateDir })).rejects.toMatchObject({ code: 'EDGE_STATE_IN_USE' });
  });
});

describe('a module that ends', () => {
  it('comes back with longer and longer waits, and fails for good after the last restart', async () => {
    const folder = temporaryFolder('edge');
    const manifest = aManifest(folder, {
      agentEnv: { MaxRestartCount: { value: '3' } },
      modules: { crash: aModule(folder, 'crash', { script: 'process.exit(3)' }) },
    });
    const { edge, events } = await startScene({ manifest, backoffScale: 0.001 });
    await until(() => statusOf(edge, 'crash').state === 'failed');
    expect(statusOf(edge, 'crash')).toMatchObject({ restarts: 3, exitCode: 3 });
    const ended = events.filter((event) => event.kind === 'ended' && event.id === 'crash');
    expect(ended.map((event) => (event.kind === 'ended' ? event.delayMs : undefined))).toEqual([
      10,
      20,
      40,
      undefined,
    ]);
    await edge.restart('crash');
    await until(() => statusOf(edge, 'crash').restarts > 4);
  });

  it('stays down after a good end, unless its policy is always', async () => {
    const folder = temporaryFolder('edge');
    const done = { script: 'process.exit(0)' };
    const manifest = aManifest(folder, {
      modules: {
        once: aModule(folder, 'once', { ...done, restartPolicy: 'on-failure' }),
        again: aModule(folder, 'again', { ...done, restartPolicy: 'always' }),
      },
    });
    const { edge } = await startScene({ manifest, backoffScale: 0.001 });
    await until(() => statusOf(edge, 'again').restarts > 1);
    expect(statusOf(edge, 'once')).toMatchObject({ state: 'stopped', restarts: 0, exitCode: 0 });
  });

  it('is killed when it does not end on SIGTERM', async () => {
    const folder = temporaryFolder('edge');
    const deaf = {
      script: "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1e6)",
    };
    const manifest = aManifest(folder, { modules: { deaf: aModule(folder, 'deaf', deaf) } });
    const { edge } = await startScene({ manifest });
    await lineOf(edge, 'deaf', 'deaf');
    const { pid } = statusOf(edge, 'deaf');
    await edge.stop();
    expect(isAlive(pid)).toBe(false);
    expect(statusOf(edge, 'deaf').exitCode).toBe(137);
  }, 40_000);
});

describe('SIGKILL', () => {
  it('of the hub loses no message that was taken, and modules find it again', async () => {
    const { edge } = await startScene();
    await ready(edge);
    const before = statusOf(edge, 'edgeHub').pid;
    edge.kill('edgeHub', 'SIGKILL');
    await until(
      () =>
        statusOf(edge, 'edgeHub').state === 'running' && statusOf(edge, 'edgeHub').pid !== before,
    );
    await until(async () => (await post(edge, [1, 3])) === 202, { timeoutMs: 25_000 });
    await until(
      async () =>
        ((await edge.invokeMethod('averager', 'received')).payload as { received: number })
          .received > 0,
      { timeoutMs: 25_000 },
    );
  }, 60_000);

  it('of a module starts it anew, and what was on its way arrives', async () => {
    const { edge } = await startScene();
    await ready(edge);
    edge.kill('averager', 'SIGKILL');
    expect(await post(edge, [1, 3])).toBe(202);
    await until(() => statusOf(edge, 'averager').restarts === 1);
    await lineOf(edge, 'averager', 'averaged 2 numbers');
  }, 40_000);

  it('of the supervisor ends its children', async () => {
    const folder = temporaryFolder('edge');
    const manifest = aManifest(folder, {
      modules: {
        m: aModule(folder, 'm', {
          script: "console.log('up', process.pid); setInterval(() => {}, 1e6)",
        }),
      },
    });
    const stateDir = path.join(folder, 'state');
    const supervisor = ChildProcess.start(path.join(process.cwd(), 'edge/src/main.ts'), {
      args: ['up', '--manifest', manifest, '--state', stateDir],
    });
    const line = await supervisor.line(/^m \| up \d+/);
    const pid = Number(line.split(' ').at(-1));
    const hub = Number((await supervisor.line(/^edgeHub started/)).split(' ').at(-1));
    await supervisor.kill();
    await until(() => !isAlive(pid) && !isAlive(hub));
    const again = await startScene({ manifest, stateDir });
    await lineOf(again.edge, 'm', 'up');
  }, 40_000);
});

describe('logs', () => {
  it('are kept by level, filtered, and given out by edgeAgent', async () => {
    const folder = temporaryFolder('edge');
    const script =
      "console.log('<6> one'); console.error('<3> two'); console.log('<7> three'); setInterval(() => {}, 1e6)";
    const manifest = aManifest(folder, {
      modules: { talker: aModule(folder, 'talker', { script }) },
    });
    const { edge } = await startScene({ manifest });
    await until(() => edge.logs('talker').length === 3);
    expect(edge.logs('talker', { level: 3 })).toMatchObject([{ log: '<3> two', stream: 'stderr' }]);
    const answer = await edge.invokeMethod('edgeAgent', 'GetModuleLogs', {
      schemaVersion: '1.0',
      items: [{ id: '^talker$', filter: { loglevel: 6, regex: 'one' } }],
    });
    expect(answer.payload).toEqual([{ id: 'talker', payloadBytes: null, payload: '<6> one\n' }]);
    expect(await edge.invokeMethod('edgeAgent', 'ping')).toMatchObject({ status: 200 });
  });

  it('are bounded as LogConfig says', async () => {
    const folder = temporaryFolder('edge');
    const createOptions = {
      HostConfig: {
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1k', 'max-file': '2' } },
      },
    };
    const script =
      "for (let i = 0; i < 200; i++) console.log('line ' + i); setInterval(() => {}, 1e6)";
    const manifest = aManifest(folder, {
      modules: { m: aModule(folder, 'm', { script, createOptions }) },
    });
    const { edge, stateDir } = await startScene({ manifest });
    await lineOf(edge, 'm', 'line 199');
    expect(edge.logs('m').length).toBeLessThan(40);
    expect(readFileSync(path.join(stateDir, 'logs', 'm.log')).length).toBeLessThanOrEqual(1024);
    expect(existsSync(path.join(stateDir, 'logs', 'm.log.2'))).toBe(false);
  });
});

describe('state', () => {
  it('survives: identity, ports and messages that nobody has taken yet', async () => {
    const first = await startScene();
    await ready(first.edge);
    const port = statusOf(first.edge, 'counter').ports.HTTP_PORT;
    const { gateway, deviceId } = first.edge;
    first.edge.kill('averager', 'SIGSTOP');
    expect(await post(first.edge, [5, 7, 9])).toBe(202);
    first.edge.kill('averager', 'SIGKILL');
    await first.edge.stop();

    const second = await startScene({ stateDir: first.stateDir });
    expect(second.edge.deviceId).toBe(deviceId);
    expect(second.edge.gateway).toBe(gateway);
    expect(statusOf(second.edge, 'counter').ports.HTTP_PORT).toBe(port);
    await lineOf(second.edge, 'averager', 'averaged 3 numbers');
  }, 60_000);

  it('is one each for edges side by side', async () => {
    const [a, b] = await Promise.all([startScene(), startScene()]);
    await Promise.all([ready(a.edge), ready(b.edge)]);
    expect(a.edge.gateway).not.toBe(b.edge.gateway);
    expect(a.edge.deviceId).not.toBe(b.edge.deviceId);
    expect(await post(a.edge, [1])).toBe(202);
    await lineOf(a.edge, 'averager', 'averaged 1 numbers');
    expect(b.edge.logs('averager', { regex: 'averaged' })).toEqual([]);
  }, 40_000);
});

describe('the command line', () => {
  const main = path.join(process.cwd(), 'edge/src/main.ts');

  it('speaks to a running edge through its state folder', async () => {
    const { stateDir } = await startScene();
    const ask = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
      const child = ChildProcess.start(main, { args: [...args, '--state', stateDir] });
      const { code } = await child.exited;
      return { code, output: child.output };
    };
    expect((await ask('ps')).output).toMatch(/edgeHub +running +\d+ +0 +mqtts:/);
    expect((await ask('twin', 'averager')).output).toContain('"decimals": 1');
    expect(await ask('logs', 'nobody')).toMatchObject({
      code: 1,
      output: expect.stringContaining('no module nobody'),
    });
    expect(await ask('link', 'sideways')).toMatchObject({ code: 2 });
  }, 40_000);

  it('says what is wrong with a manifest and ends with 1', async () => {
    const folder = temporaryFolder('edge');
    const file = path.join(folder, 'broken.json');
    writeFileSync(file, '{"modulesContent": {}}');
    const child = ChildProcess.start(main, { args: ['validate', '--manifest', file] });
    expect(await child.exited).toMatchObject({ code: 1 });
    expect(child.output).toContain('modulesContent.$edgeAgent');
  });

  it('ends with 2 and a hint for an option that there is not', async () => {
    const child = ChildProcess.start(main, { args: ['up', '--colour', 'red'] });
    expect(await child.exited).toMatchObject({ code: 2 });
    expect(child.output).toContain('--colour');
    expect(child.output).toContain('up --help');
  });
});
