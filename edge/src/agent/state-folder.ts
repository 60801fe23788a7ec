import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { replaceFile } from '../replace-file.ts';
import { EdgeError } from './errors.ts';

/** Linux allows 107 bytes, macOS 103, the workload API fewer than 100. */
const SOCKET_PATH_BYTES_MAX = 99;

const SOCKET_FOLDER_PREFIX = 'holdfast-sockets-';

/** What must stay the same over restarts: who the modules are and where they are found. */
interface Durable {
  deviceId: string;
  /** Base64 key by module id; `$edgeHub` is the hub itself, the empty name the edge device. */
  keys: Record<string, string>;
  generationIds: Record<string, string>;
  /** `<module>/<container port>` and names such as `edgeHub` to port. */
  ports: Record<string, number>;
}

/** Folders that this very process has open. */
const openHere = new Set<string>();

/** The folder that holds an edge's state; one supervisor at a time. */
export class StateFolder {
  readonly root: string;
  readonly volumes: string;
  readonly logs: string;
  /** Sockets live in a short path of their own: that of a state folder is often too long. */
  readonly sockets: string;
  readonly #file: string;
  readonly #durable: Durable;

  private constructor(root: string, sockets: string) {
    this.root = root;
    this.sockets = sockets;
    this.volumes = path.join(root, 'volumes');
    this.logs = path.join(root, 'logs');
    this.#file = path.join(root, 'edge.json');
    this.#durable = existsSync(this.#file)
      ? (JSON.parse(readFileSync(this.#file, 'utf8')) as Durable)
      : {
          deviceId: `local-${randomBytes(4).toString('hex')}`,
          keys: {},
          generationIds: {},
          ports: {},
        };
  }

  /** @throws EdgeError EDGE_STATE_IN_USE */
  static open(folder: string): StateFolder {
    const root = path.resolve(folder);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    lock(root);
    const state = new StateFolder(root, socketFolder(root));
    for (const each of [state.volumes, state.logs, state.sockets])
      mkdirSync(each, { recursive: true, mode: 0o700 });
    return state;
  }

  get deviceId(): string {
    return this.#durable.deviceId;
  }

  /** The key of a module, made at the first call. */
  key(id: string): string {
    return this.#once(this.#durable.keys, id, () => randomBytes(32).toString('base64'));
  }

  generationId(id: string): string {
    return this.#once(this.#durable.generationIds, id, () => randomUUID());
  }

  port(name: string): number | undefined {
    return this.#durable.ports[name];
  }

  setPort(name: string, port: number): void {
    this.#durable.ports[name] = port;
    this.#save();
  }

  path(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }

  socket(name: string): string {
    return path.join(this.sockets, `${name}.sock`);
  }

  /** Gives the folder free; sockets go, everything else stays. */
  close(): void {
    openHere.delete(this.root);
    rmSync(this.path('supervisor.pid'), { force: true });
    if (!this.sockets.startsWith(this.root)) rmSync(this.sockets, { recursive: true, force: true });
  }

  #once(record: Record<string, string>, id: string, make: () => string): string {
    const found = record[id];
    if (found !== undefined) return found;
    const made = make();
    record[id] = made;
    this.#save();
    return made;
  }

  #save(): void {
    replaceFile(this.#file, JSON.stringify(this.#durable, null, 2), 0o600);
  }
}

/** Where a running supervisor's control socket is; undefined when none runs. */
export function controlSocketOf(folder: string): string | undefined {
  const root = path.resolve(folder);
  const pid = readPid(path.join(root, 'supervisor.pid'));
  if (pid === undefined || !isAlive(pid)) return undefined;
  return readFileSync(path.join(root, 'sockets'), 'utf8').trim();
}

function socketFolder(root: string): string {
  const own = path.join(root, 's');
  const file = path.join(root, 'sockets');
  let folder = own;
  if (Buffer.byteLength(path.join(own, 'workload.sock')) > SOCKET_PATH_BYTES_MAX) {
    folder = path.join(tmpdir(), `${SOCKET_FOLDER_PREFIX}${randomBytes(4).toString('hex')}`);
    if (Buffer.byteLength(path.join(folder, 'workload.sock')) > SOCKET_PATH_BYTES_MAX)
      throw new EdgeError('EDGE_PATH_TOO_LONG', `${folder} is too long for a Unix socket`);
  }
  removeOldSockets(file, root);
  writeFileSync(file, path.join(folder, 'control.sock'));
  return folder;
}

/** A supervisor that was killed leaves its folder for sockets behind, outside of the state folder. */
function removeOldSockets(file: string, root: string): void {
  if (!existsSync(file)) return;
  const before = path.dirname(readFileSync(file, 'utf8').trim());
  if (before.startsWith(path.join(tmpdir(), SOCKET_FOLDER_PREFIX)) && !before.startsWith(root))
    rmSync(before, { recursive: true, force: true });
}

function lock(root: string): void {
  const file = path.join(root, 'supervisor.pid');
  const pid = readPid(file);
  const taken = pid === process.pid ? openHere.has(root) : pid !== undefined && isAlive(pid);
  if (taken)
    throw new EdgeError('EDGE_STATE_IN_USE', `process ${pid} already runs an edge in ${root}`);
  rmSync(file, { force: true });
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch (error) {
    throw new EdgeError('EDGE_STATE_IN_USE', `another process just took ${root}`, { cause: error });
  }
  openHere.add(root);
}

function readPid(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8'));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
