/** A request that the workload API refuses; the body of the answer is `{message}`. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
  readonly code: 'WORKLOAD_BAD_REQUEST' | 'WORKLOAD_FORBIDDEN' | 'WORKLOAD_NOT_FOUND';
  constructor(code: WorkloadError['code'], message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    if (this.code === 'WORKLOAD_NOT_FOUND') return 404;
    return this.code === 'WORKLOAD_FORBIDDEN' ? 403 : 400;
  }
}
