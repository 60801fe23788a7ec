import path from 'node:path';
import type { ContainerOptions } from './container-options.ts';

/**
 * A module on a device sees its container: mounted folders, ports of its own, the files of its image under `/app`.
 * Here it is a process on this machine. These rules turn the first view into the second; they look at environment
 * variables only, because that is how a module is told where things are.
 */
export interface ContainerView {
  options: ContainerOptions;
  /** From the manifest; wins over `Env` of the create options. */
  env: Readonly<Record<string, string>>;
  image: string;
  /** Folder with the module's code: what the image holds under `/app`. */
  moduleDir: string;
  /** Named volumes live under it. */
  volumesDir: string;
  /** A relative bind source starts here. Docker would refuse one. */
  projectDir: string;
}

export interface HostView {
  env: Record<string, string>;
  /** Variable or purpose to port of this machine, for example `HOLDFAST_HTTP_PORT`. */
  ports: Record<string, number>;
  /** Arguments for node itself. */
  nodeArguments: string[];
  /** Folders that must exist before the module starts. */
  volumes: string[];
}

const INSPECTOR_PORT = '9229';

/** Container ports that need a port of this machine, in a fixed order. */
export function portsNeeded(view: ContainerView): string[] {
  const values = Object.entries(environmentOf(view))
    .filter(([name, value]) => name.endsWith('_PORT') && isExposed(view.options, value))
    .map(([, value]) => value);
  if (inspected(view)) values.push(INSPECTOR_PORT);
  return [...new Set(values)].sort();
}

/** @param portFor gives the port of this machine for one of `portsNeeded` */
export function hostView(
  view: ContainerView,
  portFor: (containerPort: string) => number,
): HostView {
  const mounts = mountsOf(view);
  const ports: Record<string, number> = {};
  const env = environmentOf(view);
  for (const [name, value] of Object.entries(env)) {
    if (name.endsWith('_PORT') && isExposed(view.options, value)) {
      ports[name] = portFor(value);
      env[name] = String(ports[name]);
    } else if (name.endsWith('_HOST') && value === '0.0.0.0') {
      env[name] = '127.0.0.1';
    } else {
      env[name] = hostPath(value, mounts);
    }
  }
  const nodeArguments: string[] = [];
  if (inspected(view)) {
    ports.INSPECTOR = portFor(INSPECTOR_PORT);
    nodeArguments.push(`--inspect=127.0.0.1:${ports.INSPECTOR}`);
  }
  const volumes = mounts.filter(({ volume }) => volume).map(({ source }) => source);
  return { env, ports, nodeArguments, volumes };
}

function environmentOf({ options, env }: ContainerView): Record<string, string> {
  const own = options.Env.map((entry) => {
    const split = entry.indexOf('=');
    return [entry.slice(0, split), entry.slice(split + 1)] as const;
  });
  return { ...Object.fromEntries(own), ...env };
}

/** A debug image starts node with the inspector; its port is exposed. */
const inspected = ({ image, options }: ContainerView): boolean =>
  image.endsWith('.debug') && isExposed(options, INSPECTOR_PORT);

const isExposed = ({ ExposedPorts, HostConfig }: ContainerOptions, value: string): boolean =>
  Object.hasOwn(ExposedPorts, `${value}/tcp`) ||
  Object.hasOwn(HostConfig.PortBindings, `${value}/tcp`);

interface Mount {
  target: string;
  source: string;
  volume: boolean;
}

/** Longest target first, so that a mount inside another one wins; the image itself is last. */
function mountsOf({ options, moduleDir, volumesDir, projectDir }: ContainerView): Mount[] {
  const source = (name: string): string =>
    isVolumeName(name) ? path.join(volumesDir, name) : path.resolve(projectDir, name);
  const mounts = options.HostConfig.Mounts.map(({ Type, Source, Target }) => ({
    target: withoutSlash(Target),
    source: Type === 'volume' ? path.join(volumesDir, Source) : source(Source),
    volume: Type === 'volume',
  }));
  for (const bind of options.HostConfig.Binds) {
    const [from = '', target = ''] = bind.split(':');
    mounts.push({
      target: withoutSlash(target),
      source: source(from),
      volume: isVolumeName(from),
    });
  }
  mounts.sort((a, b) => b.target.length - a.target.length);
  return [...mounts, { target: '/app', source: moduleDir, volume: false }];
}

const isVolumeName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name);
const withoutSlash = (target: string): string => target.replace(/(?<=.)\/+$/, '');

/** A value that is a path under a mount becomes the path of this machine; every other value stays. */
function hostPath(value: string, mounts: readonly Mount[]): string {
  for (const { target, source } of mounts) {
    if (value === target || value === `${target}/`) return source;
    if (value.startsWith(`${target}/`)) return path.join(source, value.slice(target.length + 1));
  }
  return value;
}
