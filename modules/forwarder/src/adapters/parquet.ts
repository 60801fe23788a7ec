// Not by name: Node 20 does not have it, and would end with that before the version check says so.
import zlib from 'node:zlib';
import type { DriftFinding, InsightKind, InsightRecord, ModelIdentity } from '@holdfast/contracts';
import { type BasicType, parquetWriteBuffer } from 'hyparquet-writer';

/** A column of the file: its name, type, whether it may be null, and its value in one row. */
interface Column<Row> {
  name: string;
  type: 'STRING' | 'INT32' | 'INT64' | 'DOUBLE' | 'TIMESTAMP';
  nullable?: true;
  of(row: Row): string | number | null;
}

type RecordOf<Kind extends InsightKind> = Extract<InsightRecord, { kind: Kind }>;

const position = <
  Row extends { asset: string; stream: string; epoch: string },
>(): Column<Row>[] => [
  { name: 'asset', type: 'STRING', of: (row) => row.asset },
  { name: 'stream', type: 'STRING', of: (row) => row.stream },
  { name: 'epoch', type: 'STRING', of: (row) => row.epoch },
];

const model = <Row extends { model: ModelIdentity | null }>(): Column<Row>[] => [
  { name: 'modelName', type: 'STRING', nullable: true, of: (row) => row.model?.name ?? null },
  { name: 'modelVersion', type: 'STRING', nullable: true, of: (row) => row.model?.version ?? null },
  { name: 'modelDigest', type: 'STRING', nullable: true, of: (row) => row.model?.digest ?? null },
];

const ANOMALY: Column<RecordOf<'anomaly'>>[] = [
  { name: 'id', type: 'STRING', of: (row) => row.id },
  { name: 'anomaly', type: 'STRING', of: (row) => row.anomaly },
  { name: 'phase', type: 'STRING', of: (row) => row.phase },
  ...position<RecordOf<'anomaly'>>(),
  { name: 'level', type: 'INT32', of: (row) => row.level },
  { name: 'startT', type: 'TIMESTAMP', of: (row) => row.startT },
  { name: 'peakT', type: 'TIMESTAMP', of: (row) => row.peakT },
  { name: 'endT', type: 'TIMESTAMP', nullable: true, of: (row) => row.endT },
  { name: 'startSeq', type: 'INT64', of: (row) => row.startSeq },
  { name: 'peakScore', type: 'DOUBLE', of: (row) => row.peakScore },
  { name: 'rows', type: 'INT32', of: (row) => row.rows },
  // Text, because list columns of structs are read differently by every reader; all of them parse JSON.
  { name: 'contributions', type: 'STRING', of: (row) => JSON.stringify(row.contributions) },
  ...model<RecordOf<'anomaly'>>(),
];

const ROLLUP: Column<RecordOf<'rollup'>>[] = [
  { name: 'id', type: 'STRING', of: (row) => row.id },
  ...position<RecordOf<'rollup'>>(),
  { name: 'minuteT', type: 'TIMESTAMP', of: (row) => row.minuteT },
  { name: 'part', type: 'INT32', of: (row) => row.part },
  { name: 'scored', type: 'INT32', of: (row) => row.scored },
  { name: 'rejected', type: 'INT32', of: (row) => row.rejected },
  { name: 'unscored', type: 'INT32', of: (row) => row.unscored },
  { name: 'warnings', type: 'INT32', of: (row) => row.warnings },
  { name: 'alarms', type: 'INT32', of: (row) => row.alarms },
  { name: 'scoreMin', type: 'DOUBLE', nullable: true, of: (row) => row.scoreMin },
  { name: 'scoreMean', type: 'DOUBLE', nullable: true, of: (row) => row.scoreMean },
  { name: 'scoreMax', type: 'DOUBLE', nullable: true, of: (row) => row.scoreMax },
  { name: 'firstSeq', type: 'INT64', of: (row) => row.firstSeq },
  { name: 'lastSeq', type: 'INT64', of: (row) => row.lastSeq },
  ...model<RecordOf<'rollup'>>(),
];

const GAP: Column<RecordOf<'gap'>>[] = [
  { name: 'id', type: 'STRING', of: (row) => row.id },
  { name: 't', type: 'TIMESTAMP', of: (row) => row.t },
  { name: 'source', type: 'STRING', of: (row) => row.source },
  { name: 'first', type: 'INT64', of: (row) => row.first },
  { name: 'last', type: 'INT64', of: (row) => row.last },
  { name: 'count', type: 'INT64', of: (row) => row.count },
  { name: 'reason', type: 'STRING', of: (row) => row.reason },
];

/** One score; the record it came in is named by `id`, so several rows share one. */
interface ScoreRow {
  record: RecordOf<'scores'>;
  index: number;
}

const onRecord = (column: Column<RecordOf<'scores'>>): Column<ScoreRow> => ({
  ...column,
  of: ({ record }) => column.of(record),
});

const SCORES: Column<ScoreRow>[] = [
  { name: 'id', type: 'STRING', of: ({ record }) => record.id },
  ...position<RecordOf<'scores'>>().map(onRecord),
  { name: 't', type: 'TIMESTAMP', of: ({ record, index }) => record.t[index]! },
  { name: 'seq', type: 'INT64', of: ({ record, index }) => record.seq[index]! },
  { name: 'score', type: 'DOUBLE', of: ({ record, index }) => record.score[index]! },
  { name: 'level', type: 'INT32', of: ({ record, index }) => record.level[index]! },
  ...model<RecordOf<'scores'>>().map(onRecord),
];

/** One finding of a window; the record it came in is named by `id`. */
interface FindingRow {
  record: RecordOf<'drift'>;
  finding: DriftFinding;
}

const onWindow = (column: Column<RecordOf<'drift'>>): Column<FindingRow> => ({
  ...column,
  of: ({ record }) => column.of(record),
});

const DRIFT: Column<FindingRow>[] = [
  { name: 'id', type: 'STRING', of: ({ record }) => record.id },
  { name: 'fromT', type: 'TIMESTAMP', of: ({ record }) => record.fromT },
  { name: 'toT', type: 'TIMESTAMP', of: ({ record }) => record.toT },
  { name: 'rows', type: 'INT64', of: ({ record }) => record.rows },
  // Of the window as a whole, on each of its rows.
  { name: 'windowDrifted', type: 'INT32', of: ({ record }) => (record.drifted ? 1 : 0) },
  { name: 'falseAlarmRate', type: 'DOUBLE', of: ({ record }) => record.falseAlarmRate },
  { name: 'test', type: 'STRING', of: ({ finding }) => finding.test },
  { name: 'signal', type: 'STRING', nullable: true, of: ({ finding }) => finding.signal },
  { name: 'statistic', type: 'DOUBLE', of: ({ finding }) => finding.statistic },
  { name: 'p', type: 'DOUBLE', of: ({ finding }) => finding.p },
  { name: 'effect', type: 'DOUBLE', of: ({ finding }) => finding.effect },
  { name: 'drifted', type: 'INT32', of: ({ finding }) => (finding.drifted ? 1 : 0) },
  { name: 'asset', type: 'STRING', nullable: true, of: ({ record }) => record.asset },
  { name: 'assetShare', type: 'DOUBLE', of: ({ record }) => record.assetShare },
  ...model<RecordOf<'drift'>>().map(onWindow),
];

const SAMPLE: Column<RecordOf<'sample'>>[] = [
  { name: 'id', type: 'STRING', of: (row) => row.id },
  ...position<RecordOf<'sample'>>(),
  { name: 'seq', type: 'INT64', of: (row) => row.seq },
  { name: 't', type: 'TIMESTAMP', of: (row) => row.t },
  { name: 'score', type: 'DOUBLE', of: (row) => row.score },
  { name: 'level', type: 'INT32', of: (row) => row.level },
  // JSON, as the contributions of an anomaly.
  { name: 'reasons', type: 'STRING', of: (row) => JSON.stringify(row.reasons) },
  { name: 'probability', type: 'DOUBLE', nullable: true, of: (row) => row.probability },
  {
    name: 'shadowDigest',
    type: 'STRING',
    nullable: true,
    of: (row) => row.shadowModel?.digest ?? null,
  },
  { name: 'shadowScore', type: 'DOUBLE', nullable: true, of: (row) => row.shadowScore },
  { name: 'signals', type: 'STRING', of: (row) => JSON.stringify(row.signals) },
  { name: 'windowRows', type: 'INT32', of: (row) => row.windowRows },
  { name: 'window', type: 'STRING', of: (row) => row.window },
  ...model<RecordOf<'sample'>>(),
];

/** What a reader of one file alone must know. */
export interface FileNotes {
  site: string;
  kind: InsightKind;
  recordsHash: string;
}

/**
 * Writes records of one kind as a Parquet file, ZSTD, one row a record (of `scores`, one row a score; of
 * `drift`, one row a finding). `kind`, `site`
 * and the date are not columns: they stand in the path, and a column that is also a Hive partition is an error to
 * some readers. They are repeated in the file's key-value metadata.
 */
export function toParquet(records: readonly InsightRecord[], notes: FileNotes): Uint8Array {
  switch (notes.kind) {
    case 'anomaly':
      return write(records as RecordOf<'anomaly'>[], ANOMALY, notes);
    case 'rollup':
      return write(records as RecordOf<'rollup'>[], ROLLUP, notes);
    case 'gap':
      return write(records as RecordOf<'gap'>[], GAP, notes);
    case 'scores': {
      const rows = (records as RecordOf<'scores'>[]).flatMap((record) =>
        record.seq.map((_, index) => ({ record, index })),
      );
      return write(rows, SCORES, notes);
    }
    case 'drift': {
      const rows = (records as RecordOf<'drift'>[]).flatMap((record) =>
        record.findings.map((finding) => ({ record, finding })),
      );
      return write(rows, DRIFT, notes);
    }
    case 'sample':
      return write(records as RecordOf<'sample'>[], SAMPLE, notes);
  }
}

function write<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  notes: FileNotes,
): Uint8Array {
  const buffer = parquetWriteBuffer({
    columnData: columns.map(({ name, type, nullable, of }) => ({
      name,
      type: type as BasicType,
      nullable: nullable === true,
      data: rows.map((row) => (type === 'INT64' ? BigInt(of(row) as number) : of(row))),
    })),
    codec: 'ZSTD',
    compressors: { ZSTD: (bytes) => zlib.zstdCompressSync(bytes) },
    rowGroupSize: 100_000,
    createdBy: 'holdfast forwarder',
    kvMetadata: Object.entries({ ...notes, holdfast: '1' }).map(([key, value]) => ({ key, value })),
  });
  return new Uint8Array(buffer);
}
