import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import { SourceError } from './errors.ts';
import type { PushPlan } from './push-plan.ts';
import { DIGEST } from './ref.ts';
import { FILE_NAME } from './source.ts';
import { digestOf } from './store.ts';

/**
 * The artifact is one of CNCF ModelPack, which registries and other tools know, with files as they are (`.raw`).
 * See docs/decisions/0021.
 */
export const OCI_MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const ARTIFACT_TYPE = 'application/vnd.cncf.model.manifest.v1+json';
export const CONFIG_TYPE = 'application/vnd.cncf.model.config.v1+json';

/** Name of a layer's file, for `oras pull`; and the same for tools of ModelPack. */
const TITLE = 'org.opencontainers.image.title';
const FILE_PATH = 'org.cncf.model.filepath';

/** The digest of the bundle, on the manifest, so that it can be read without fetching anything else. */
export const BUNDLE_DIGEST = 'com.holdfast.model.digest';

const Descriptor = z.looseObject({
  mediaType: z.string(),
  digest: z.string().regex(DIGEST, { error: 'must be sha256: and 64 hexadecimal digits' }),
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof Descriptor>;

const Manifest = z.looseObject({
  schemaVersion: z.literal(2),
  layers: z.array(Descriptor).max(256),
});

/**
 * The files of an artifact, by name. Any artifact with named layers will do, so one that `oras push` has made too.
 * @throws SourceError SOURCE_PROTOCOL
 */
export function layersOf(bytes: Buffer, where: string): ReadonlyMap<string, Descriptor> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new SourceError('SOURCE_PROTOCOL', `${where}: the OCI manifest is not JSON`, { cause });
  }
  const checked = check(Manifest, document);
  if (!checked.ok) {
    const index = Array.isArray((document as { manifests?: unknown } | null)?.manifests);
    const what = index
      ? 'is an index of several manifests; name one by its digest'
      : describeProblems(checked.problems);
    throw new SourceError('SOURCE_PROTOCOL', `${where}: the OCI manifest ${what}`);
  }
  const layers = new Map<string, Descriptor>();
  for (const layer of checked.value.layers) {
    const name = layer.annotations?.[TITLE] ?? layer.annotations?.[FILE_PATH];
    if (name === undefined || !FILE_NAME.test(name)) continue;
    if (layers.has(name))
      throw new SourceError('SOURCE_PROTOCOL', `${where}: two layers are ${name}`);
    layers.set(name, layer);
  }
  return layers;
}

/** A layer with one file of a bundle. */
function layerOf(name: string, digest: string, size: number): Descriptor {
  return {
    mediaType: typeOf(name),
    digest,
    size,
    annotations: { [TITLE]: name, [FILE_PATH]: name },
  };
}

function typeOf(name: string): string {
  if (name.endsWith('.onnx') || name.endsWith('.bin') || name.endsWith('.data')) {
    return 'application/vnd.cncf.model.weight.v1.raw';
  }
  return name.endsWith('.md')
    ? 'application/vnd.cncf.model.doc.v1.raw'
    : 'application/vnd.cncf.model.weight.config.v1.raw';
}

/** Config and manifest of the artifact; the same bundle always gives the same bytes. */
export function manifestOf(plan: PushPlan): { config: Buffer; manifest: Buffer } {
  const { name, version, digest } = plan;
  const layers = plan.files.map((file) => layerOf(file.name, file.digest, file.bytes));
  const config = Buffer.from(
    JSON.stringify({
      descriptor: { name, version },
      config: { format: 'onnx' },
      modelfs: { type: 'layers', diffIds: layers.map((layer) => layer.digest) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST_TYPE,
      artifactType: ARTIFACT_TYPE,
      config: { mediaType: CONFIG_TYPE, digest: digestOf(config), size: config.length },
      layers,
      annotations: {
        'org.opencontainers.image.title': name,
        'org.opencontainers.image.version': version,
        [BUNDLE_DIGEST]: digest,
      },
    }),
  );
  return { config, manifest };
}
