// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the tools look like that
import type { ModuleFile } from '@holdfast/contracts';

/** Which module's image a placeholder means. `folder` is set for `${MODULEDIR<..>}`, relative to the template. */
export interface ImagePlaceholder {
  name: string;
  folder?: string;
  /** Key of module.json's platforms, for example `amd64` or `arm64v8.debug`. */
  platform: string;
}

const architectures = ['amd64', 'arm32v7', 'arm64v8', 'arm64', 'windows-amd64'];

/**
 * Reads `${MODULES.name}` or `${MODULEDIR<path>}`, each with an optional architecture and `.debug`. Only a whole
 * value is a placeholder.
 * @returns undefined when the value is an ordinary image name
 */
export function parseImage(image: string, defaultPlatform: string): ImagePlaceholder | undefined {
  const found = /^\$\{(?:MODULES\.([^<>{}]+)|MODULEDIR<([^<>{}]+)>([^<>{}]*))\}$/.exec(image);
  if (found === null) return undefined;
  const folder = found[2]?.trim();
  let rest = folder === undefined ? (found[1] ?? '') : `${nameOf(folder)}${found[3] ?? ''}`;
  const debug = rest.endsWith('.debug');
  if (debug) rest = rest.slice(0, -'.debug'.length);
  const architecture = architectures.find((name) => rest.endsWith(`.${name}`));
  if (architecture !== undefined) rest = rest.slice(0, -architecture.length - 1);
  return {
    name: rest,
    ...(folder === undefined ? {} : { folder }),
    platform: `${architecture ?? defaultPlatform}${debug ? '.debug' : ''}`,
  };
}

const nameOf = (folder: string): string =>
  folder
    .replace(/[\\/]+$/, '')
    .split(/[\\/]/)
    .at(-1) ?? '';

/** `{repository in lower case}:{version}-{platform}`; undefined when module.json has no such platform. */
export function imageName({ image }: ModuleFile, platform: string): string | undefined {
  if (!Object.hasOwn(image.tag.platforms, platform)) return undefined;
  return `${image.repository.toLowerCase()}:${image.tag.version}-${platform}`;
}
