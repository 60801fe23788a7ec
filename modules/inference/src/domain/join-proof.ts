import type { Datatype, Tensor } from './tensor.ts';

/** A proof by requests whose answers differ counts in full; by ones whose answers are alike, a little. */
const STRONG = 8;
const WEAK = 1;
const ENOUGH = 16;
/** Failed runs of joined requests, one after the other, of which each request alone succeeded. */
const FAULTS_MAX = 3;
/** Kernels for other sizes add up in another order: absolute plus relative, and in steps of float16. */
const TOLERANCE = { absolute: 1e-5, relative: 1e-3, float16Steps: 8 };

/**
 * Whether rows of different requests may stand in one run of a model. A free first dimension does not say so: it may
 * be time, or the model may look at all rows at once. So the first joined runs are made alone as well and compared.
 * States: *unproven* (each joined run is proved), *proven*, *broken* (an answer differed: never joined again).
 */
export class JoinProof {
  #broken: string | undefined;
  #evidence = 0;
  #sameProven = false;
  #faults = 0;

  /** Why this model's requests are never joined. */
  get broken(): string | undefined {
    return this.#broken;
  }
  get proven(): boolean {
    return this.#evidence >= ENOUGH;
  }

  /** Whether the requests of this run must be run alone too. @param same they are byte for byte the same */
  isNeeded(same: boolean): boolean {
    return !(this.proven || (same && this.#sameProven));
  }

  /** Answers of requests, joined and alone. */
  compare(
    joined: readonly (readonly Tensor[])[],
    alone: readonly (readonly Tensor[])[],
    same: boolean,
  ): void {
    if (joined.some((outputs, index) => !areAlike(outputs, alone[index]!))) {
      this.#broken = 'answers of joined requests differ from their answers alone';
      return;
    }
    if (same) {
      this.#sameProven = true;
      return;
    }
    const differ = alone.some((outputs) => !areAlike(outputs, alone[0]!));
    this.#evidence += differ ? STRONG : WEAK;
  }

  /** A joined run failed, and then each of its requests succeeded alone; or one did not, or a joined run succeeded. */
  fault(joinedToBlame: boolean): void {
    this.#faults = joinedToBlame ? this.#faults + 1 : 0;
    if (this.#faults >= FAULTS_MAX) this.#broken = 'runs of joined requests fail';
  }

  /** An output had another number of rows than the inputs. */
  misshapen(): void {
    this.#broken = 'an output does not have one row for each row of the inputs';
  }
}

/** Whether all inputs are byte for byte the same. */
export function areSame(requests: readonly (readonly Tensor[])[]): boolean {
  return requests.every((inputs) =>
    inputs.every((input, index) => {
      const first = requests[0]![index]!;
      return (
        first.name === input.name &&
        first.data.length === input.data.length &&
        (first.data as ArrayLike<unknown> as unknown[]).every(
          (value, at) => value === (input.data as ArrayLike<unknown>)[at],
        )
      );
    }),
  );
}

/** Whether two answers are the same but for the rounding of another order of additions. */
export function areAlike(a: readonly Tensor[], b: readonly Tensor[]): boolean {
  return a.every((tensor, index) => {
    const other = b[index]!;
    if (tensor.data.length !== other.data.length) return false;
    const alike = COMPARE[tensor.datatype] ?? Object.is;
    for (let at = 0; at < tensor.data.length; at += 1) {
      if (!alike(tensor.data[at] as never, other.data[at] as never)) return false;
    }
    return true;
  });
}

const floats = (a: number, b: number): boolean =>
  Object.is(a, b) ||
  Math.abs(a - b) <= TOLERANCE.absolute + TOLERANCE.relative * Math.max(Math.abs(a), Math.abs(b));

/** The bits of a float16 as a number that rises with its value. */
const step = (bits: number): number => (bits & 0x8000 ? 0x8000 - bits : bits);
const float16s = (a: number, b: number): boolean =>
  Math.abs(step(a) - step(b)) <= TOLERANCE.float16Steps;

const COMPARE: Partial<Record<Datatype, (a: number, b: number) => boolean>> = {
  FP32: floats,
  FP64: floats,
  FP16: float16s,
};
