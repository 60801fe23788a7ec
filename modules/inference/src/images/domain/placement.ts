import type { ImageShape } from '@holdfast/contracts';

export interface Size {
  width: number;
  height: number;
}
export interface Area extends Size {
  left: number;
  top: number;
}

/** Which part of an image, in its pixels, goes to which part of the tensor, in the tensor's. */
export interface Placement {
  image: Size;
  source: Area;
  target: Area;
  tensor: Size;
}

/** Left, top, right and bottom as parts of width and height, 0 to 1. */
export type Corners = readonly [left: number, top: number, right: number, bottom: number];

/** Where the pixels of an image go in the tensor of a model. */
export function placeImage(
  image: Size,
  { width, height, resize }: Pick<ImageShape, 'width' | 'height' | 'resize'>,
): Placement {
  const tensor = { width, height };
  const whole = {
    image,
    tensor,
    source: { left: 0, top: 0, ...image },
    target: { left: 0, top: 0, ...tensor },
  };
  if (resize === 'stretch') return whole;
  const across = width / image.width;
  const down = height / image.height;
  if (resize === 'fit') {
    const target = within(tensor, {
      width: image.width * Math.min(across, down),
      height: image.height * Math.min(across, down),
    });
    return { ...whole, target };
  }
  const most = Math.max(across, down);
  return { ...whole, source: within(image, { width: width / most, height: height / most }) };
}

/** The middle of `outer` with about the size of `inner`, in whole pixels, at least one each way. */
function within(outer: Size, inner: Size): Area {
  const width = Math.min(outer.width, Math.max(1, Math.round(inner.width)));
  const height = Math.min(outer.height, Math.max(1, Math.round(inner.height)));
  const left = Math.floor((outer.width - width) / 2);
  const top = Math.floor((outer.height - height) / 2);
  return { left, top, width, height };
}

/**
 * A box in the tensor as a box in the image, both 0 to 1, cut off at the edges of the image; undefined when nothing of
 * it is in the image.
 */
export function ontoImage(
  [left, top, right, bottom]: Corners,
  { image, source, target, tensor }: Placement,
): Corners | undefined {
  const across = (x: number): number =>
    inside(
      (source.left + ((x * tensor.width - target.left) / target.width) * source.width) /
        image.width,
    );
  const down = (y: number): number =>
    inside(
      (source.top + ((y * tensor.height - target.top) / target.height) * source.height) /
        image.height,
    );
  const box: Corners = [across(left), down(top), across(right), down(bottom)];
  return box[0] < box[2] && box[1] < box[3] ? box : undefined;
}

const inside = (part: number): number => Math.min(1, Math.max(0, part));
