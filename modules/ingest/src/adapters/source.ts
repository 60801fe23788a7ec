/** Where readings come from; the label of metrics and of the reject log. */
export type SourceName = 'http' | 'devices' | 'folder';

/**
 * One way in. A source reads what its peer sends into an `Intake`, hands that to the pipeline, and tells its peer
 * only after the pipeline has said that the readings are durable. Until then the peer owns them.
 */
export interface Source {
  readonly name: SourceName;
  start(): Promise<void>;
  /** Takes nothing new; resolves when what it had begun is answered. */
  stop(): Promise<void>;
  /** What is wrong, as a sentence; undefined when all is well. */
  health(): string | undefined;
}
