import { DATATYPE_BYTES, type Datatype, type TensorSpec } from '../domain/tensor.ts';
import { type ApiAnswer, ApiRig } from './api-rig.ts';
import { EchoRunner } from './echo-runner.ts';
import { anEntry } from './fake-catalog.ts';

export const TYPES = Object.keys(DATATYPE_BYTES) as Datatype[];
export const LENGTH = 'inference-header-content-length';

/** The API with a model for each data type, named after it, that gives back its two numbers a row; and some others. */
export class EchoApi {
  readonly rig: ApiRig;

  private constructor(rig: ApiRig) {
    this.rig = rig;
    const model = (name: string, ...inputs: TensorSpec[]) =>
      rig.catalog.list.push(anEntry(name, new EchoRunner(inputs)));
    model(
      'pair',
      { name: 'x1', datatype: 'FP32', shape: [-1, 2] },
      { name: 'x2', datatype: 'INT64', shape: [-1] },
    );
    for (const type of TYPES) model(type, { name: 'x', datatype: type, shape: [-1, 2] });
    model('scalar', { name: 'x', datatype: 'FP64', shape: [] });
    model('texts', { name: 'x', datatype: 'BYTES', shape: [-1] });
    model('image', { name: 'x', datatype: 'UINT8', shape: [-1, 2, -1] });
    model('open', { name: 'x', datatype: 'UINT8', shape: [2, -1, -1] });
  }

  static async start(): Promise<EchoApi> {
    return new EchoApi(await ApiRig.start());
  }

  infer(model: string, json: unknown): Promise<ApiAnswer> {
    return this.rig.post(`/v2/models/${model}/infer`, json);
  }

  /** JSON, and the tensors that follow it. */
  inferBinary(model: string, json: unknown, ...tensors: Uint8Array[]): Promise<ApiAnswer> {
    const head = Buffer.from(JSON.stringify(json));
    return this.rig.call('POST', `/v2/models/${model}/infer`, {
      body: Buffer.concat([head, ...tensors]),
      headers: { [LENGTH]: String(head.length) },
    });
  }
}

/** The JSON of an answer with binary data. */
export const headOf = (answer: ApiAnswer) =>
  JSON.parse(answer.body.subarray(0, Number(answer.headers[LENGTH])).toString());
/** What follows it. */
export const tailOf = (answer: ApiAnswer): Buffer =>
  answer.body.subarray(Number(answer.headers[LENGTH]));
export const bytesOf = (view: ArrayBufferView): Buffer =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength);
