// The version first: with an older Node the native database module ends the process without a word.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(`Holdfast needs Node 24 or later; this is ${process.version}.\n`);
  process.exit(1);
}

const configPath = process.argv[2];
if (configPath === undefined) {
  process.stderr.write('Usage: node edge/src/cloud/main.ts <cloud.json>\n');
  process.exit(2);
}

const { lineLog } = await import('../hub/log.ts');
const log = lineLog((line) => process.stdout.write(line), Date.now);
try {
  const { startCloud } = await import('./cloud.ts');
  const { readCloudConfig } = await import('./read-config.ts');
  const cloud = await startCloud({ config: readCloudConfig(configPath), log, wallMs: Date.now });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void cloud.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  log('error', 'Cloud cannot start', { detail: (error as Error).message });
  process.exit(1);
}
