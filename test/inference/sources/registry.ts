import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryFolder, until } from '@holdfast/testkit';

export interface Registry {
  port: number;
  /** `127.0.0.1:<port>` */
  host: string;
  /** Folder where it keeps its blobs. */
  storage: string;
  log(): string;
  stop(): Promise<void>;
}

/** Why there is no registry on this machine; undefined when there is one. */
export const missingRegistry = (): string | undefined =>
  spawnSync('docker-registry', ['--version']).status === 0
    ? undefined
    : "Debian's docker-registry is not installed (apt-get install docker-registry)";

/** bcrypt of `geheim`; the registry knows no other form. */
const HTPASSWD = 'site:$2b$05$jZN9FED9cPeauquTt4O5TOg2I4hF8JEumWzAs/R1PJpCr8stOHPuu';

export interface RegistryAuth {
  /** User `site`, password `geheim`. */
  basic?: boolean;
  token?: { realm: string; rootCertificate: string };
}

/** Starts Debian's docker-registry on loopback with an empty store. */
export async function startRegistry(auth: RegistryAuth = {}): Promise<Registry> {
  const folder = temporaryFolder('registry');
  const storage = join(folder, 'storage');
  mkdirSync(storage);
  const port = await freePort();
  const config: Record<string, unknown> = {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
  };
  if (auth.basic) {
    const path = join(folder, 'htpasswd');
    writeFileSync(path, `${HTPASSWD}\n`);
    config.auth = { htpasswd: { realm: 'holdfast', path } };
  }
  if (auth.token !== undefined) {
    const rootcertbundle = join(folder, 'root.pem');
    writeFileSync(rootcertbundle, auth.token.rootCertificate);
    const { realm } = auth.token;
    config.auth = { token: { realm, service: 'models', issuer: 'holdfast', rootcertbundle } };
  }
  // JSON is YAML, too.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString('utf8');
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  await until(async () => (await fetch(`http://127.0.0.1:${port}/v2/`)).status > 0, {
    timeoutMs: 20_000,
    what: () => `docker-registry on port ${port}: ${output.slice(-2_000)}`,
  });
  return {
    port,
    host: `127.0.0.1:${port}`,
    storage,
    log: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
