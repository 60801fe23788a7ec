import { z } from 'zod';

/** `cvexport.manifest` of a Custom Vision export, as far as it is used. Exporters add fields, so others are passed over. */
export const ExportManifest = z.object({
  DomainType: z.enum(['Classification', 'ObjectDetection']),
  Platform: z.literal('ONNX'),
  ModelFileName: z.string().min(1).default('model.onnx'),
  LabelFileName: z
    .string()
    .min(1)
    .nullish()
    .transform((name) => name ?? 'labels.txt'),
  ModelFileSHA1: z.string().regex(/^[0-9a-fA-F]{40}$/, { error: 'must be 40 hexadecimal digits' }),
  ExportedDate: z.string().max(64).nullish(),
  IterationId: z.string().max(64).nullish(),
  Anchors: z
    .array(z.tuple([z.number().positive(), z.number().positive()]))
    .min(1)
    .max(32)
    .nullish(),
  ScaleWidth: z.int().min(1).max(4_096).nullish(),
  ScaleHeight: z.int().min(1).max(4_096).nullish(),
  InputFormat: z.enum(['RGB', 'BGR']).nullish(),
  ConfThreshold: z.number().min(0).max(1).nullish(),
  IouThreshold: z.number().min(0).max(1).nullish(),
});
export type ExportManifest = z.output<typeof ExportManifest>;
