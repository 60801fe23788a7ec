// Goal: a module process as edgeAgent and an operator see it: exit codes, log lines, signals, TLS, methods. Method:
// a small module on the module host as a process, alone or on the local edge's hub.
import { X509Certificate } from 'node:crypto';
import { get } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { ChildProcess, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LocalHub } from './local-hub.ts';

let hub: LocalHub | undefined;
afterEach(async () => {
  await ChildProcess.killAll();
  await hub?.close();
  hub = undefined;
});

const start = (env: Record<string, string>): ChildProcess =>
  ChildProcess.start(join(__dirname, 'host-module.ts'), {
    env: {
      HOLDFAST_TRANSPORT: 'none',
      HOLDFAST_HTTP_PORT: '0',
      HOLDFAST_DATA_DIR: temporaryFolder('module'),
      ...env,
    },
  });
const LINE = /^<[0-7]> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \+00:00 \[(ERR|WRN|INF|DBG)\] - \S/;

describe('a module process', () => {
  it('runs without a hub and ends with 0 on SIGTERM, after its stores are closed', async () => {
    const child = start({});
    const url = /"url":"([^"]+)"/.exec(await child.line('Module started'))?.[1];
    const status = await (await fetch(`${url}/status`)).json();
    expect(status).toMatchObject({ module: 'probe', connected: false, way: 'ordinary' });
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    expect(child.output).toContain('Stores closed');
    for (const line of child.lines) expect(line).toMatch(LINE);
  });

  it('refuses a wrong environment with 78 and one line for each problem, and no stack', async () => {
    const child = start({ PROBE_NUMBER: 'x', HOLDFAST_HTTP_PORT: '-1' });
    expect(await child.exited).toEqual({ code: 78, signal: null });
    expect(child.lines).toHaveLength(2);
    expect(child.output).toContain('Cannot start: PROBE_NUMBER: "x" is not allowed');
    expect(child.output).toContain('Cannot start: HOLDFAST_HTTP_PORT: "-1" is not allowed');
  });

  it('names every variable of IoT Edge that is missing, and the way out', async () => {
    const child = start({ HOLDFAST_TRANSPORT: '', IOTEDGE_MODULEID: 'probe' });
    expect((await child.exited).code).toBe(78);
    expect(child.output).toContain('Cannot start: IOTEDGE_WORKLOADURI: is missing');
    expect(child.output).not.toContain('IOTEDGE_MODULEID');
    expect(child.output).toContain('HOLDFAST_TRANSPORT: set it to none to run without a hub');
  });

  it.each([
    ['fail-start', '"code":"JOURNAL_OPEN","message":"no journal"'],
    ['throw', 'thrown in a timer'],
    ['reject', 'forgotten promise'],
  ])('ends with 1 and one error line: %s', async (way, text) => {
    const child = start({ PROBE_WAY: way });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.lines.filter((line) => line.startsWith('<3>'))).toHaveLength(1);
    expect(child.output).toContain(text);
    expect(child.output).not.toContain('    at ');
  });

  it('does not wait for ever for a module that does not stop', async () => {
    const child = start({ PROBE_WAY: 'hang' });
    await child.line('Module started');
    expect(await child.stop(20_000)).toEqual({ code: 1, signal: null });
    expect(child.output).toContain('Stopping took too long');
  });

  it('says which variable may be misspelt', async () => {
    const child = start({ HOLDFAST_SIET: 'x' });
    await child.line('HOLDFAST_SIET');
    await child.stop();
  });
});

describe('a module process on the hub', () => {
  const onHub = async (env: Record<string, string> = {}): Promise<ChildProcess> => {
    hub = await LocalHub.open();
    const child = start({ ...hub.environment(), HOLDFAST_TRANSPORT: '', ...env });
    await child.line('Connected to the hub');
    return child;
  };

  it('takes settings, refuses wrong ones, and reports both', async () => {
    const child = await onHub();
    await hub?.desire({ credit: 9 });
    await child.line('Applied {"credit":9}');
    await hub?.desire({ credit: 99, typo: 1 });
    await child.line('Settings refused');
    await until(async () => JSON.stringify(await hub?.reported()).includes('refused'));
    expect((await hub?.reported())?.holdfast).toMatchObject({
      module: 'probe',
      settings: {
        verdict: 'refused',
        problems: [
          { path: 'credit', value: '99', allowed: 'must be at most 16' },
          { path: 'typo', allowed: 'is not a known name and must be left out' },
        ],
      },
    });
    expect(await hub?.invoke('flush', {})).toEqual({ status: 200, payload: { flushed: true } });
    expect((await hub?.invoke('ping', {}))?.status).toBe(200);
    expect((await child.stop()).code).toBe(0);
  });

  it('ends with 1 when a handler throws, and the message waits for the next life', async () => {
    const child = await onHub();
    await until(async () => (await hub?.invoke('ping', {}))?.status === 200);
    // Sent to itself. The answer is not waited for: the process may end before it gives one.
    hub?.invoke('emit', 'poison').catch(() => {});
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output).toContain('The module cannot go on and ends {"message":"commit failed"}');
    expect(await hub?.queued('probe')).toBe(1);
  });

  it('serves HTTPS with a certificate from the workload API', async () => {
    const child = await onHub({ HOLDFAST_HTTP_TLS: 'workload' });
    const url = /"url":"([^"]+)"/.exec(await child.line('Module started'))?.[1] ?? '';
    expect(url).toMatch(/^https:/);
    const ca = hub?.trustBundlePem ?? '';
    const port = Number(new URL(url).port);
    const certificate = await new Promise<X509Certificate>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername: 'probe' }, () => {
        resolve(new X509Certificate(socket.getPeerCertificate().raw));
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(certificate.subjectAltName).toContain('DNS:probe');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      get(`${url}/healthz`, { ca, servername: 'probe' }, (response) =>
        resolve(response.statusCode),
      ).on('error', reject);
    });
    expect(status).toBe(200);
  });
});
