import {
  DemandsMessage,
  LOST_PROPERTY,
  ReceiptsMessage,
  readRecordedLosses,
} from '@holdfast/contracts';
import type { GroupCommit, Journal, JournalKey, JournalPosition } from '@holdfast/journal';
import type { Clock, Log } from '@holdfast/module-host';
import type { InboundMessage, MessageHandler } from '@holdfast/transport';
import { readMessage } from './adapters/hub-message.ts';
import type { IngestMetrics } from './adapters/metrics.ts';
import type { RejectLog } from './adapters/reject-log.ts';
import type { SourceName } from './adapters/source.ts';
import { Accounts } from './domain/accounts.ts';
import { Checker, type CheckSettings } from './domain/checker.ts';
import { Intake } from './domain/intake.ts';
import { codeOf, IngestError } from './errors.ts';
import type { JournalRoom, Shortage } from './journal-room.ts';
import type { StreamPump } from './stream-pump.ts';

export interface PipelineParts {
  journal: Journal;
  room: JournalRoom;
  commits: GroupCommit;
  pumps: readonly StreamPump[];
  rejects: RejectLog;
  metrics: IngestMetrics;
  clock: Clock;
  log: Log;
  fatal(error: Error): never;
}

type PipelineSettings = CheckSettings & { capBytes: number };

/** What a source knows about a request besides its rows. */
export interface Origin {
  source: SourceName;
  /** For the reject log: a file, a sender. */
  what?: string;
  key?: JournalKey;
}

/**
 * The main path of ingest, top to bottom:
 *
 *   source -> intake (checked rows) -> accept: journal, group commit -> acknowledgement
 *                                        journal -> pump -> `readings` -> inference
 *                                        journal <- receipts <- forwarder
 *
 * A reading belongs to its source until `accept` resolves or `acceptNow` returns; from then on to the journal,
 * until a receipt covers it.
 */
export class Pipeline {
  readonly accounts: Accounts;
  readonly #parts: PipelineParts;
  #settings: PipelineSettings;
  #checker: Checker;

  constructor(parts: PipelineParts, settings: PipelineSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#checker = new Checker(settings);
    this.accounts = new Accounts(parts.journal);
  }

  apply(settings: PipelineSettings): void {
    this.#settings = settings;
    this.#checker = new Checker(settings);
  }

  /** An empty intake that goes by the settings and the clock of now. */
  intake(options: { unit: 'row' | 'line'; utc?: boolean }): Intake {
    return new Intake(this.#checker, { ...options, nowMs: this.#parts.clock.wallMs() });
  }

  /** Why nothing can be accepted now; undefined when it can. */
  busy(): string | undefined {
    return this.#shortage(true)?.text;
  }

  /**
   * Makes the accepted rows durable, together with whoever else asks in this turn.
   * @throws IngestError INGEST_BUSY, JournalError JOURNAL_DISK_FULL: nothing was stored, try again later
   */
  async accept(intake: Intake, origin: Origin): Promise<JournalPosition[]> {
    this.#demandRoom(origin.source, true);
    const positions =
      intake.accepted.length === 0 && origin.key === undefined
        ? []
        : await this.#parts.commits.append(intake.accepted, origin.key).catch(this.#failed);
    this.#committed(intake, origin);
    return positions;
  }

  /**
   * The same before it returns, for a source whose message is acknowledged when its handler returns.
   * @throws as `accept`
   */
  acceptNow(intake: Intake, origin: Origin): void {
    this.#demandRoom(origin.source, false);
    if (intake.accepted.length > 0) {
      try {
        this.#parts.journal.append(intake.accepted, origin.key);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#committed(intake, origin);
  }

  /** Counts and gives the reason, when a source has to be told to wait. */
  waitFor(source: SourceName): string | undefined {
    const shortage = this.#shortage(true);
    if (shortage !== undefined) this.#parts.metrics.toldToWait(source, shortage.reason);
    return shortage?.text;
  }

  #demandRoom(source: SourceName, canWait: boolean): void {
    const shortage = this.#shortage(canWait);
    if (shortage === undefined) return;
    this.#parts.metrics.toldToWait(source, shortage.reason);
    throw new IngestError('INGEST_BUSY', shortage.text);
  }

  #shortage(canWait: boolean): Shortage | undefined {
    return this.#parts.room.shortage(canWait, this.#settings.capBytes);
  }

  /** Input `receipts`: what the forwarder has applied leaves the journal. */
  receipts({ body, properties }: Pick<InboundMessage, 'body' | 'properties'>): void {
    const message = readMessage(ReceiptsMessage, body, this.#ignore('receipts'));
    const losses = readRecordedLosses(properties[LOST_PROPERTY]);
    for (const receipt of message?.receipts ?? []) {
      const pump = this.#parts.pumps.find(({ stream }) => stream.stream === receipt.stream);
      if (pump === undefined) {
        this.#parts.metrics.ignored('receipt-stream-unknown');
        continue;
      }
      const recorded = losses
        ?.filter(([stream, epoch]) => stream === receipt.stream && epoch === receipt.epoch)
        .map(([, , first, last]) => ({ first, last }));
      this.accounts.advanced(() => pump.receipt(receipt, recorded));
    }
  }

  /** Input `demands`: a model needs earlier rows with each batch; what has no receipt goes again, with them. */
  demands(body: Buffer): ReturnType<MessageHandler> {
    const message = readMessage(DemandsMessage, body, this.#ignore('demands'));
    if (message === undefined || message.lookback <= this.#parts.journal.lookback) return;
    try {
      this.#parts.journal.setLookback(message.lookback);
    } catch (error) {
      if (isBusy(error)) return 'later';
      throw error;
    }
    this.#parts.log.info('A model asks for more earlier rows', { lookback: message.lookback });
    for (const pump of this.#parts.pumps) pump.rewind();
  }

  /** A source may try again after some errors; after any other the journal must not be used any more. */
  readonly #failed = (error: unknown): never => {
    if (codeOf(error) === 'JOURNAL_DISK_FULL') this.#parts.room.wasFull();
    if (isBusy(error) || codeOf(error) === 'JOURNAL_CLOSED') throw error;
    return this.#parts.fatal(error as Error);
  };

  #ignore(input: string): (problems: string) => void {
    return (problems) => {
      this.#parts.metrics.ignored(`${input}-malformed`);
      this.#parts.log.warn('A message could not be understood', { input, problems });
    };
  }

  #committed(intake: Intake, origin: Origin): void {
    const { pumps, metrics } = this.#parts;
    if (intake.accepted.length > 0) {
      this.accounts.accepted(intake.accepted.length);
      metrics.accepted(origin.source, intake.accepted.length);
      for (const pump of pumps) pump.grown();
    }
    if (intake.refusedCount > 0) this.refused(intake, origin);
  }

  /** Counts refused rows and keeps them for a person to see. */
  refused(intake: Intake, origin: Pick<Origin, 'source' | 'what'>): void {
    const { metrics, rejects, clock } = this.#parts;
    for (const [code, rows] of intake.refusedByCode) metrics.refused(origin.source, code, rows);
    const { source, what = '' } = origin;
    rejects.add(intake.refusals, { source, what, timeMs: clock.wallMs() });
  }
}

/** True for errors after which a source may simply try again later. */
export const isBusy = (error: unknown): boolean =>
  ['INGEST_BUSY', 'JOURNAL_FULL', 'JOURNAL_DISK_FULL'].includes(codeOf(error) ?? '');
