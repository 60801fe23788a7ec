/**
 * `node scripts/build.ts <module> [--arch x64|arm64] [--out folder]`: what goes into the module's image. One
 * bundle for the main program and one for each worker, and beside them only the native packages, cut down to
 * Linux on one architecture.
 */
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { MODULES, ROOT } from './steps.ts';

const ARCHITECTURES = ['x64', 'arm64'];

/** Packages with a native part, which cannot be bundled. */
const EXTERNAL = ['better-sqlite3', 'onnxruntime-node', 'onnxruntime-common', 'sharp'];

/** Packages that go beside the bundles, and what of each is needed at run time. */
function packagesOf(module: string, arch: string): Record<string, string[]> {
  if (module !== 'inference') {
    return { 'better-sqlite3': ['package.json', 'lib', `prebuilds/linux-${arch}.node`] };
  }
  return {
    'onnxruntime-node': ['package.json', 'dist', `bin/napi-v6/linux/${arch}`],
    'onnxruntime-common': ['package.json', 'dist'],
    sharp: ['package.json', 'dist'],
    '@img/colour': ['.'],
    'detect-libc': ['.'],
    semver: ['.'],
    // npm installs those of its own architecture alone; the image for another one installs them itself.
    [`@img/sharp-linux-${arch}`]: ['.'],
    [`@img/sharp-libvips-linux-${arch}`]: ['.'],
  };
}

/** CommonJS inside an ES module bundle still asks for these names. */
const BANNER = [
  "import { createRequire as __createRequire } from 'node:module';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
].join('\n');

async function buildModule(module: string, arch: string, out: string): Promise<void> {
  const source = path.join(ROOT, 'modules', module, 'src');
  const workers = globSync('**/*-worker.ts', { cwd: source });
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    // The Node version must be looked at before a native package is loaded, so it is a bundle of its own.
    entryPoints: ['main.ts', ...workers].map((file) => ({
      in: path.join(source, file),
      out: path.basename(file, '.ts'),
    })),
    outdir: out,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // V8 keeps the source text in memory. Names stay, for stacks and for errors that are known by them.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    // Into a file beside the bundle; see `mustBeAscii`.
    legalComments: 'linked',
    banner: { js: BANNER },
    external: EXTERNAL,
    logLevel: 'warning',
  });
  mustBeAscii(path.join(out, 'main.js'));
  writeFileSync(
    path.join(out, 'package.json'),
    `${JSON.stringify({ name: `holdfast-${module}`, private: true, type: 'module', main: 'main.js' }, null, 2)}\n`,
  );
  for (const [name, items] of Object.entries(packagesOf(module, arch))) {
    for (const item of items) {
      const from = path.join(ROOT, 'node_modules', name, item);
      if (!existsSync(from)) throw new Error(`${name} has no ${item} in node_modules`);
      cpSync(from, path.join(out, 'node_modules', name, item), {
        recursive: true,
        filter: (file) => !/\.(map|d\.ts|d\.mts)$/.test(file),
      });
    }
  }
}

/** One character beyond ASCII, and V8 keeps the whole source with two bytes a character: 5 MB more resident memory. */
function mustBeAscii(file: string): void {
  const found = /[^\0-\x7f]/.exec(readFileSync(file, 'latin1'));
  if (found === null) return;
  const around = found.input.slice(Math.max(0, found.index - 60), found.index + 20);
  throw new Error(
    `${file} has a character beyond ASCII: write it as \\u.... in the source: ${around}`,
  );
}

function optionsOf(argv: readonly string[]): { module: string; arch: string; out: string } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { arch: { type: 'string', default: process.arch }, out: { type: 'string' } },
  });
  const [module] = positionals;
  if (module === undefined || !MODULES.includes(module)) {
    throw new Error(`${module ?? 'nothing'} is not a module; name one of ${MODULES.join(', ')}`);
  }
  if (!ARCHITECTURES.includes(values.arch)) {
    throw new Error(`--arch: ${values.arch} is not allowed, must be ${ARCHITECTURES.join(' or ')}`);
  }
  return {
    module,
    arch: values.arch,
    out: values.out ?? path.join(ROOT, 'modules', module, 'dist'),
  };
}

try {
  const { module, arch, out } = optionsOf(process.argv.slice(2));
  await buildModule(module, arch, path.resolve(out));
  console.log(`built ${module} for linux/${arch}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
