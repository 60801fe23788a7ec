import { describe, expect, it } from '@jest/globals';
import { ContainerOptions } from './container-options.ts';
import { type ContainerView, hostView, portsNeeded } from './container-view.ts';

function aView(parts: {
  env?: Record<string, string>;
  options?: unknown;
  image?: string;
}): ContainerView {
  return {
    options: ContainerOptions.parse(parts.options ?? {}),
    env: parts.env ?? {},
    image: parts.image ?? 'r/m:1-amd64',
    moduleDir: '/project/modules/m',
    volumesDir: '/state/volumes',
    projectDir: '/project',
  };
}

const envOf = (parts: Parameters<typeof aView>[0]): Record<string, string> =>
  hostView(aView(parts), (port) => 40_000 + Number(port)).env;

describe('paths of the container', () => {
  const options = {
    HostConfig: {
      Mounts: [
        { Type: 'volume', Source: 'data', Target: '/data' },
        { Type: 'bind', Source: '/srv/models', Target: '/data/models' },
      ],
      Binds: ['named:/named', '/etc/site:/config:ro', 'scenarios/bundle:/model:ro'],
    },
  };
  it.each([
    ['/data', '/state/volumes/data'],
    ['/data/', '/state/volumes/data'],
    ['/data/db/x.sqlite', '/state/volumes/data/db/x.sqlite'],
    ['/database', '/database'],
    ['/data/models/m1', '/srv/models/m1'],
    ['/named/a', '/state/volumes/named/a'],
    ['/config', '/etc/site'],
    ['/model', '/project/scenarios/bundle'],
    ['/app/model', '/project/modules/m/model'],
    ['/app', '/project/modules/m'],
    ['/elsewhere', '/elsewhere'],
    ['http://host/data', 'http://host/data'],
  ])('%s is %s on the host', (value, expected) => {
    expect(envOf({ options, env: { WHERE: value } }).WHERE).toBe(expected);
  });

  it('names the volumes that must exist, and no bind source', () => {
    expect(hostView(aView({ options }), () => 0).volumes).toEqual([
      '/state/volumes/named',
      '/state/volumes/data',
    ]);
  });
});

describe('ports of the container', () => {
  const options = {
    ExposedPorts: { '8080/tcp': {}, '9229/tcp': {} },
    HostConfig: { PortBindings: { '9600/tcp': [] } },
  };

  it('become ports of the host where they are exposed or bound', () => {
    const env = { HTTP_PORT: '8080', METRICS_PORT: '9600', OTHER_PORT: '1234', PORT_COUNT: '8080' };
    const view = hostView(aView({ options, env }), (port) => 40_000 + Number(port));
    expect(view.env).toEqual({
      HTTP_PORT: '48080',
      METRICS_PORT: '49600',
      OTHER_PORT: '1234',
      PORT_COUNT: '8080',
    });
    expect(view.ports).toEqual({ HTTP_PORT: 48_080, METRICS_PORT: 49_600 });
  });

  it('are needed once each', () => {
    const env = { A_PORT: '8080', B_PORT: '8080' };
    expect(portsNeeded(aView({ options, env }))).toEqual(['8080']);
  });

  it('get the inspector in a debug image only', () => {
    const debug = hostView(aView({ options, image: 'r/m:1-amd64.debug' }), () => 41_000);
    expect(debug.nodeArguments).toEqual(['--inspect=127.0.0.1:41000']);
    expect(hostView(aView({ options }), () => 41_000).nodeArguments).toEqual([]);
  });
});

describe('the environment', () => {
  it('listens on loopback instead of all addresses', () => {
    expect(
      envOf({ env: { HTTP_HOST: '0.0.0.0', PEER_HOST: 'a.example', HOST: '0.0.0.0' } }),
    ).toEqual({
      HTTP_HOST: '127.0.0.1',
      PEER_HOST: 'a.example',
      HOST: '0.0.0.0',
    });
  });

  it('takes Env of the create options, and the manifest wins', () => {
    expect(envOf({ options: { Env: ['A=1=2', 'B=b'] }, env: { B: 'c' } })).toEqual({
      A: '1=2',
      B: 'c',
    });
  });
});
