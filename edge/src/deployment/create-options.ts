/** Characters in one chunk, and chunks that the IoT Edge tools write: twins limit the length of a string. */
const CHUNK_LENGTH = 512;
const CHUNKS_MAX = 8;

export const CREATE_OPTIONS_LENGTH_MAX = CHUNK_LENGTH * CHUNKS_MAX;

type Settings = Record<string, unknown>;

const keyOf = (index: number): string =>
  index === 0 ? 'createOptions' : `createOptions${String(index).padStart(2, '0')}`;

/** Puts the chunks of a manifest together again; an object of a template becomes text. Empty when there are none. */
export function joinCreateOptions(settings: Settings): string {
  const first = settings.createOptions;
  if (first !== undefined && typeof first !== 'string') return JSON.stringify(first);
  let text = first ?? '';
  for (let index = 1; typeof settings[keyOf(index)] === 'string'; index += 1)
    text += settings[keyOf(index)] as string;
  return text;
}

/**
 * Writes create options as text in chunks of 512 characters, and keeps everything else. Runs after variables are
 * expanded, because they change the length.
 * @returns undefined when they are longer than eight chunks
 */
export function chunkCreateOptions(settings: Settings): Settings | undefined {
  const text = joinCreateOptions(settings);
  const characters = Array.from(text);
  if (characters.length > CREATE_OPTIONS_LENGTH_MAX) return undefined;
  const rest = Object.entries(settings).filter(([key]) => !/^createOptions(\d\d)?$/.test(key));
  const chunked: Settings = Object.fromEntries(rest);
  const count = Math.max(1, Math.ceil(characters.length / CHUNK_LENGTH));
  for (let index = 0; index < count; index += 1) {
    chunked[keyOf(index)] = characters
      .slice(index * CHUNK_LENGTH, (index + 1) * CHUNK_LENGTH)
      .join('');
  }
  return chunked;
}
