import type { GoldenOutputs, Problem } from '@holdfast/contracts';

/** What a model gave for the golden inputs, in their order. */
export interface ModelOutputs {
  /** `[case]`. */
  score: ArrayLike<number>;
  /** `[case, signal]`, row-major; absent for a model without contributions. */
  contributions?: ArrayLike<number> | undefined;
}

/** Every golden value that the model missed by more than the tolerance, absolute plus relative. */
export function goldenProblems(golden: GoldenOutputs, outputs: ModelOutputs): Problem[] {
  const problems: Problem[] = [];
  const compare = (path: string, got: number | undefined, wanted: number): void => {
    const allowed = golden.tolerance * (1 + Math.abs(wanted));
    if (got !== undefined && Math.abs(got - wanted) <= allowed) return;
    problems.push({
      path,
      value: String(got),
      allowed: `must be within ${Number(allowed.toPrecision(3))} of ${wanted}`,
    });
  };
  for (const [index, expected] of golden.cases.entries()) {
    compare(`cases[${index}].score`, outputs.score[index], expected.score);
    const width = expected.contributions?.length ?? 0;
    for (const [signal, wanted] of (expected.contributions ?? []).entries()) {
      const got = outputs.contributions?.[index * width + signal];
      compare(`cases[${index}].contributions[${signal}]`, got, wanted);
    }
  }
  return problems;
}
