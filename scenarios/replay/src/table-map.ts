/** How a CSV file is read as readings: guessed from its first lines, or given by the user as JSON. */
export interface TableMap {
  delimiter: string;
  /** Name of the column with the time of a row. */
  time: string;
  /** Name of the column with the asset; undefined when a file is one asset, named after the file. */
  asset: string | undefined;
  /** Column name to signal name. */
  signals: Record<string, string>;
  /** Columns that say what is true (labels); they are never fed, only shown. */
  labels: string[];
  /** Columns that are neither. */
  ignored: string[];
}

const DELIMITERS = [';', '\t', ',', '|'];
const TIME_NAME = /^(date.?time|time.?stamp|time|date|ts|t)$/i;
const ASSET_NAME = /^(asset|machine|device|equipment|unit|tag)(.?(id|name))?$/i;
const LABEL_NAME = /^(is.?)?(anomaly|anomalies|outlier|change.?point|label|fault|class|target)$/i;

/**
 * Guesses a map from the header and some rows. The delimiter is the one that splits header and rows into the
 * same, largest number of cells; signals are the columns in which at least half of the cells are numbers.
 * @throws Error that names the file's header when there is no time column or no signal.
 */
export function guessTableMap(header: string, rows: readonly string[]): TableMap {
  const delimiter = guessDelimiter(header, rows);
  const columns = splitCells(header, delimiter);
  const cells = rows.map((row) => splitCells(row, delimiter));
  const time = columns.find((name) => TIME_NAME.test(name));
  if (time === undefined) {
    throw new Error(
      `no time column in the header "${header}": name one of ${columns.join(', ')} with --map {"time":"<column>"}`,
    );
  }
  const map: TableMap = { delimiter, time, asset: undefined, signals: {}, labels: [], ignored: [] };
  for (const [index, name] of columns.entries()) {
    if (name === time) continue;
    if (LABEL_NAME.test(name)) map.labels.push(name);
    else if (map.asset === undefined && ASSET_NAME.test(name)) map.asset = name;
    else if (isNumeric(cells.map((row) => row[index] ?? ''))) map.signals[name] = name;
    else map.ignored.push(name);
  }
  if (Object.keys(map.signals).length === 0) {
    throw new Error(
      `no column of numbers under the header "${header}": name the signals with --map {"signals":{"<column>":"<signal>"}}`,
    );
  }
  return map;
}

/** Lays what the user gave over what was guessed. @throws Error that names the key and what is allowed. */
export function applyUserMap(guessed: TableMap, given: unknown): TableMap {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Error(
      'the map must be a JSON object with delimiter, time, asset, signals, labels, ignored',
    );
  }
  const map = { ...guessed };
  for (const [key, value] of Object.entries(given)) {
    if ((key === 'delimiter' || key === 'time' || key === 'asset') && typeof value === 'string') {
      map[key] = value;
    } else if (key === 'signals' && isStringRecord(value)) {
      map.signals = value;
    } else if ((key === 'labels' || key === 'ignored') && isStringArray(value)) {
      map[key] = value;
    } else {
      throw new Error(
        `map.${key}: ${JSON.stringify(value)} is not allowed; delimiter, time and asset are strings, signals an object of strings, labels and ignored lists of strings`,
      );
    }
  }
  return map;
}

/** The map as a person reads it. */
export function describeTableMap(map: TableMap): string[] {
  const delimiter = map.delimiter === '\t' ? 'tab' : `"${map.delimiter}"`;
  const signals = Object.entries(map.signals).map(([from, to]) =>
    from === to ? from : `${from} as ${to}`,
  );
  return [
    `delimiter ${delimiter}, time in "${map.time}", asset ${map.asset === undefined ? 'from the file name' : `in "${map.asset}"`}`,
    `signals: ${signals.join(', ')}`,
    ...(map.labels.length > 0 ? [`labels, not fed: ${map.labels.join(', ')}`] : []),
    ...(map.ignored.length > 0 ? [`ignored: ${map.ignored.join(', ')}`] : []),
  ];
}

function guessDelimiter(header: string, rows: readonly string[]): string {
  let best = { delimiter: ',', count: 1 };
  for (const delimiter of DELIMITERS) {
    const count = splitCells(header, delimiter).length;
    const agrees = rows.every((row) => splitCells(row, delimiter).length === count);
    if (agrees && count > best.count) best = { delimiter, count };
  }
  return best.delimiter;
}

/** Enough for a guess: quotes around a cell are taken off, quoted delimiters are the parser's matter. */
const splitCells = (line: string, delimiter: string): string[] =>
  line.split(delimiter).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));

const isNumeric = (cells: readonly string[]): boolean => {
  const filled = cells.filter((cell) => cell !== '');
  return (
    filled.length > 0 &&
    filled.filter((cell) => Number.isFinite(Number(cell))).length * 2 >= filled.length
  );
};

const isStringArray = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const isStringRecord = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((item) => typeof item === 'string');
