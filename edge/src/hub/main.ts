// The version first: with an older Node the native database module ends the process without a word.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(`Holdfast needs Node 24 or later; this is ${process.version}.\n`);
  process.exit(1);
}

const { lineLog } = await import('./log.ts');
const log = lineLog(
  (line) => process.stdout.write(line),
  Date.now,
  levelOf(process.env.RuntimeLogLevel),
);

const configPath = process.argv[2];
if (configPath === undefined) {
  process.stderr.write('Usage: node edge/src/hub/main.ts <hub.json>\n');
  process.exit(2);
}

try {
  const { startHub } = await import('./hub.ts');
  const { readHubConfig } = await import('./read-config.ts');
  const { compileRoute } = await import('../routes/index.ts');
  const hub = await startHub({
    config: readHubConfig(configPath),
    compileRoute,
    log,
    wallMs: Date.now,
    kill: () => process.kill(process.pid, 'SIGKILL'),
  });
  process.on('SIGHUP', () => {
    try {
      hub.reload(readHubConfig(configPath));
    } catch (error) {
      log('error', 'Configuration is refused, the old one stays', {
        detail: (error as Error).message,
      });
    }
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void hub.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  log('error', 'Hub cannot start', { detail: (error as Error).message });
  process.exit(1);
}

function levelOf(text: string | undefined): 'error' | 'warn' | 'info' | 'debug' {
  const levels = { fatal: 'error', error: 'error', warning: 'warn', debug: 'debug' } as const;
  const known = (text ?? '').toLowerCase();
  if (known === 'verbose') return 'debug';
  return Object.hasOwn(levels, known) ? levels[known as keyof typeof levels] : 'info';
}
