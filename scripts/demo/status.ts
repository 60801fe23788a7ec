/** What the modules say of themselves on `GET /status`; only what the demo shows. */
export interface IngestStatus {
  accepted: number;
  inFlight: number;
  receipted: number;
  refused: Record<string, number>;
}

export interface LaneCounts {
  produced: number;
  delivered: number;
  pending: number;
  denied: number;
  evicted: number;
  dead: number;
}

export interface ForwarderStatus {
  applied: number;
  scored: number;
  rejected: number;
  unscored: number;
  /** Receipted by an earlier life of the forwarder's database. */
  skipped: number;
  anomalies: { open: number; total: number };
  rollups: number;
  lanes: Record<string, LaneCounts>;
  blobs: number;
  gaps: number;
  link: string;
  lastError?: string;
  latencyMs: { p50: number; p99: number };
}

export interface SiteStatus {
  ingest: IngestStatus | undefined;
  forwarder: ForwarderStatus | undefined;
}

/** Reads JSON, or undefined when the module does not answer (it may have just been killed). */
export async function readStatus<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

export const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
