/** A line chart: what is drawn into docs/benchmarks. */
export interface Plot {
  /** Name of its file, without extension. */
  id: string;
  title: string;
  x: Axis;
  y: Axis;
  series: { name: string; points: readonly (readonly [x: number, y: number])[] }[];
}

interface Axis {
  label: string;
  /** Steps of ten; a zero stands at the left end. */
  log?: boolean;
}

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 84;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 56;

/** Readable on white and on black alike. */
const COLOURS = ['#2f7ed8', '#d8572f', '#2f9e6e', '#8a63d2'];

/** The chart as SVG that follows the reader's light or dark mode. */
export function plotSvg(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points);
  const x = scaleOf(
    points.map(([value]) => value),
    plot.x,
    [LEFT, WIDTH - RIGHT],
  );
  const y = scaleOf(
    points.map(([, value]) => value),
    plot.y,
    [HEIGHT - BOTTOM, TOP],
  );
  const parts = [
    `<text class="title" x="${LEFT}" y="22">${escaped(plot.title)}</text>`,
    ...y.ticks.map(
      (value) =>
        `<path class="grid" d="M${LEFT} ${y.at(value)}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${y.at(value) + 4}" text-anchor="end">${short(value)}</text>`,
    ),
    ...x.ticks.map(
      (value) =>
        `<text x="${x.at(value)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${short(value)}</text>`,
    ),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escaped(plot.x.label)}</text>`,
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(plot.y.label)}</text>`,
    ...plot.series.flatMap((series, index) =>
      lineOf(series, COLOURS[index % COLOURS.length]!, x, y),
    ),
    ...labelsOf(plot, y),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(plot.title)}">
<style>
  text { font: 13px system-ui, sans-serif; fill: #333; }
  .title { font-weight: 600; font-size: 15px; }
  .grid { stroke: #ddd; stroke-width: 1; }
  @media (prefers-color-scheme: dark) { text { fill: #ccc; } .grid { stroke: #444; } }
</style>
${parts.join('\n')}
</svg>
`;
}

interface Scale {
  at(value: number): number;
  ticks: number[];
}

function scaleOf(values: readonly number[], axis: Axis, [from, to]: [number, number]): Scale {
  const most = Math.max(...values);
  if (axis.log !== true) {
    const step = stepOf(most);
    const top = Math.ceil(most / step) * step;
    const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
    return { at: (value) => rounded(from + ((to - from) * value) / top), ticks };
  }
  const positive = values.filter((value) => value > 0);
  const hasZero = positive.length < values.length;
  const low = Math.floor(Math.log10(Math.min(...positive))) - (hasZero ? 1 : 0);
  const high = Math.ceil(Math.log10(most));
  const share = (value: number): number =>
    value <= 0 ? 0 : (Math.log10(value) - low) / Math.max(1, high - low);
  const tens = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return {
    at: (value) => rounded(from + (to - from) * share(value)),
    ticks: hasZero ? [0, ...tens.slice(1)] : tens,
  };
}

/** A step that gives about five marks at round numbers. */
function stepOf(most: number): number {
  const rough = most / 5;
  const ten = 10 ** Math.floor(Math.log10(rough));
  return ten * ([1, 2, 5, 10].find((step) => step * ten >= rough) ?? 10);
}

function lineOf({ points }: Plot['series'][number], colour: string, x: Scale, y: Scale): string[] {
  const places = points.map(([px, py]) => [x.at(px), y.at(py)] as const);
  const path = places.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px} ${py}`).join('');
  return [
    `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2.5"/>`,
    ...places.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="4" fill="${colour}"/>`),
  ];
}

/** Names at the right ends of the lines, moved apart where they would lie on each other. */
function labelsOf({ series }: Plot, y: Scale): string[] {
  let above = Number.NEGATIVE_INFINITY;
  return series
    .map(({ name, points }, index) => ({ name, at: y.at(points.at(-1)?.[1] ?? 0), index }))
    .sort((a, b) => a.at - b.at)
    .map(({ name, at, index }) => {
      above = Math.max(at + 4, above + 18);
      const colour = COLOURS[index % COLOURS.length];
      return `<text x="${WIDTH - RIGHT + 12}" y="${rounded(above)}" style="fill:${colour}">${escaped(name)}</text>`;
    });
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

const short = (value: number): string => {
  if (value >= 1e6) return `${value / 1e6} M`;
  if (value >= 1e4) return `${value / 1e3} k`;
  return String(Number(value.toPrecision(3)));
};

const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
