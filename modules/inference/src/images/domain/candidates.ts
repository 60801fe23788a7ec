import type { BoxOutputs, ColumnOutputs, DetectionOutputs, GridOutputs } from '@holdfast/contracts';
import { probabilitiesOf, sigmoid } from '../../domain/probabilities.ts';
import type { Tensor } from '../../domain/tensor.ts';
import { ScorerError } from '../../errors.ts';
import { numbersFrom } from './numbers.ts';
import type { Corners, Size } from './placement.ts';

/** A box as the model gives it, relative to the tensor. */
export interface Candidate {
  /** Index into the labels. */
  readonly label: number;
  readonly confidence: number;
  readonly box: Corners;
}

/**
 * The boxes of one image that are sure enough, in no order. `tensors` are the outputs in the order of `outputNames`.
 * @throws ScorerError RUN_FAILED when they have another size, and when a number is not finite
 */
export function candidatesOf(
  tensors: readonly Tensor[],
  outputs: DetectionOutputs,
  tensor: Size,
): Candidate[] {
  const found =
    outputs.form === 'boxes'
      ? fromBoxes(tensors, outputs, tensor)
      : outputs.form === 'grid'
        ? fromGrid(tensors, outputs)
        : fromColumns(tensors, outputs, tensor);
  const broken = found.find(({ box }) => !box.every(Number.isFinite));
  if (broken !== undefined) throw failed(`a box is at ${broken.box.join(', ')}`);
  return found;
}

const failed = (message: string): ScorerError => new ScorerError('RUN_FAILED', message);

/** Whether a confidence is enough. @throws ScorerError RUN_FAILED if it is no number */
function enough(confidence: number, { confidenceMin }: DetectionOutputs): boolean {
  if (!Number.isFinite(confidence)) throw failed(`a confidence is ${confidence}`);
  return confidence >= confidenceMin;
}

function fromBoxes(tensors: readonly Tensor[], outputs: BoxOutputs, tensor: Size): Candidate[] {
  const [boxes, scores, classes] = tensors.map(numbersFrom);
  const count = scores!.length;
  if (boxes!.length !== count * 4 || classes!.length !== count) {
    const sizes = `${boxes!.length}, ${count} and ${classes!.length} numbers`;
    throw failed(`boxes, scores and classes hold ${sizes}, must hold 4, 1 and 1 for each box`);
  }
  const across = outputs.unit === 'pixels' ? tensor.width : 1;
  const down = outputs.unit === 'pixels' ? tensor.height : 1;
  const found: Candidate[] = [];
  for (let index = 0; index < count; index += 1) {
    const confidence = scores![index]!;
    if (!enough(confidence, outputs)) continue;
    const label = classes![index]! - outputs.firstClass;
    if (outputs.labels[label] === undefined) {
      const most = outputs.labels.length - 1 + outputs.firstClass;
      throw failed(`a class is ${classes![index]}, must be ${outputs.firstClass} to ${most}`);
    }
    const four = boxes!.slice(index * 4, index * 4 + 4);
    const [one, two, three, four_] = four as unknown as [number, number, number, number];
    const box = cornersOf(outputs.corners, one, two, three, four_);
    found.push({
      label,
      confidence,
      box: [box[0] / across, box[1] / down, box[2] / across, box[3] / down],
    });
  }
  return found;
}

function cornersOf(
  corners: BoxOutputs['corners'],
  one: number,
  two: number,
  three: number,
  four: number,
): Corners {
  if (corners === 'left-top-right-bottom') return [one, two, three, four];
  if (corners === 'top-left-bottom-right') return [two, one, four, three];
  return around(one, two, three, four);
}

const around = (x: number, y: number, width: number, height: number): Corners => [
  x - width / 2,
  y - height / 2,
  x + width / 2,
  y + height / 2,
];

/**
 * Of a grid of cells in which each anchor has x and y in the cell, the logarithms of width and height in anchors, the
 * logit of there being something, and a logit for each class (Redmon and Farhadi, YOLO9000, 2016, section 2).
 */
function fromGrid([tensor]: readonly Tensor[], outputs: GridOutputs): Candidate[] {
  const { anchors, labels, layout, centre } = outputs;
  const depth = 5 + labels.length;
  const [rows, columns, channels] =
    layout === 'NCHW'
      ? [...tensor!.shape.slice(-2), tensor!.shape.at(-3)]
      : tensor!.shape.slice(-3);
  const numbers = numbersFrom(tensor!);
  if (channels !== depth * anchors.length || numbers.length !== rows! * columns! * channels) {
    const shape = `[${tensor!.shape.join(', ')}]`;
    throw failed(`the grid has shape ${shape}, must have ${depth * anchors.length} channels`);
  }
  const area = rows! * columns!;
  const at = (cell: number, channel: number): number =>
    numbers[layout === 'NCHW' ? channel * area + cell : cell * channels + channel]!;
  const place = (number: number): number => (centre === 'sigmoid' ? sigmoid(number) : number);
  const found: Candidate[] = [];
  for (let cell = 0; cell < area; cell += 1) {
    for (const [index, [width, height]] of anchors.entries()) {
      const first = index * depth;
      const objectness = sigmoid(at(cell, first + 4));
      if (!enough(objectness, outputs)) continue;
      const logits = labels.map((_, label) => at(cell, first + 5 + label));
      const { label, probability } = likeliest(probabilitiesOf(logits, 'softmax'));
      const confidence = objectness * probability;
      if (!enough(confidence, outputs)) continue;
      const box = around(
        (place(at(cell, first)) + (cell % columns!)) / columns!,
        (place(at(cell, first + 1)) + Math.floor(cell / columns!)) / rows!,
        (Math.exp(at(cell, first + 2)) * width) / columns!,
        (Math.exp(at(cell, first + 3)) * height) / rows!,
      );
      found.push({ label, confidence, box });
    }
  }
  return found;
}

function fromColumns([tensor]: readonly Tensor[], outputs: ColumnOutputs, size: Size): Candidate[] {
  const rows = 4 + outputs.labels.length;
  const numbers = numbersFrom(tensor!);
  const count = tensor!.shape.at(-1)!;
  if (tensor!.shape.at(-2) !== rows || numbers.length !== rows * count) {
    throw failed(`the columns have shape [${tensor!.shape.join(', ')}], must have ${rows} rows`);
  }
  const found: Candidate[] = [];
  for (let column = 0; column < count; column += 1) {
    let label = 0;
    for (let other = 1; other < outputs.labels.length; other += 1) {
      // A number that is none must not be passed over.
      if (!(numbers[(4 + other) * count + column]! <= numbers[(4 + label) * count + column]!)) {
        label = other;
      }
    }
    const confidence = numbers[(4 + label) * count + column]!;
    if (!enough(confidence, outputs)) continue;
    const [left, top, right, bottom] = around(
      numbers[column]!,
      numbers[count + column]!,
      numbers[2 * count + column]!,
      numbers[3 * count + column]!,
    );
    const box: Corners = [
      left / size.width,
      top / size.height,
      right / size.width,
      bottom / size.height,
    ];
    found.push({ label, confidence, box });
  }
  return found;
}

/** The class with the highest probability. */
function likeliest(probabilities: ArrayLike<number>): { label: number; probability: number } {
  let label = 0;
  for (let other = 1; other < probabilities.length; other += 1) {
    if (!(probabilities[other]! <= probabilities[label]!)) label = other;
  }
  return { label, probability: probabilities[label]! };
}
