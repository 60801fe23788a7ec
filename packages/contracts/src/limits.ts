/**
 * Limits that more than one module relies on. Each has its unit and its reason; a module may be
 * stricter by its own settings, never looser.
 */

/** Largest message body in bytes. The hub refuses properties + body above 262,144; this leaves room for properties. */
export const MESSAGE_BYTES_MAX = 240 * 1024;

/** Longest asset, signal, stream, site or model name in characters: they end up in blob names (880 on Azure Stack Hub). */
export const NAME_LENGTH_MAX = 128;

/** Signals of one asset. A row of 256 doubles as JSON is about 5 kB, so a message still holds tens of rows. */
export const SIGNALS_MAX = 256;

/** Earlier rows that a model may ask for. At 1 Hz this is an hour. */
export const LOOKBACK_ROWS_MAX = 3_600;

/** Earliest reading time in ms since 1970: 2000-01-01. Older times are a clock that was never set. */
export const TIME_MS_MIN = Date.UTC(2000, 0, 1);

/** Latest time that any schema accepts, 2200-01-01. Sources are held to a much closer limit by ingest's settings. */
export const TIME_MS_MAX = Date.UTC(2200, 0, 1);
