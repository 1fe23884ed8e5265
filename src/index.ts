/** Skypass as a library: everything the command line does can be done from code. */

export { formatLint, type Lint } from './config/lint.js';
export { field, type OptionsInput, type OptionsOf, type StageSpec, stageSpec } from './config/spec.js';
export { type Encoder, loadEncoder } from './encoders/load.js';
export type { Manifest } from './encoders/manifest.js';
export {
  type DeviceName,
  deviceNames,
  EncoderSessions,
  type RunReply,
  type RunRequest,
} from './encoders/session.js';
export { EngineError, type ErrorCode, errorCodes, type Outcome, outcomes } from './engine/errors.js';
export { drain, filterValues, mapValues, values } from './engine/flow.js';
export { Ledger } from './engine/ledger.js';
export { createLog, type Logger } from './engine/log.js';
export { RunMeters } from './engine/meters.js';
export type { PlannedStage } from './engine/plan.js';
export type { Held, Inlet, Outlet, Parcel, Place, Ports } from './engine/ports.js';
export { Run, type RunEnd, type RunOptions, type RunSummary } from './engine/run.js';
export {
  type Operator,
  type OperatorDefinition,
  operator,
  type Slot,
  type Source,
  type Stage,
  type StageBody,
  type StageNeeds,
  source,
} from './engine/stage.js';
export { Terminal } from './engine/terminal.js';
export { formatDat, readDat } from './formats/dat.js';
export { type DesBand, type DesTileImages, writeDesTile } from './formats/des-tile-writer.js';
export { type DesTile, listDesTiles } from './formats/des-tiles.js';
export { FormatError } from './formats/errors.js';
export { type FitsFile, type Hdu, openFits, verifyChecksum } from './formats/fits/file.js';
export type { Header, HeaderValue } from './formats/fits/header.js';
export { readPlane } from './formats/fits/plane.js';
export { type ByteRegion, closeRegion, openRegion } from './formats/fits/source.js';
export { readTable, TableReader } from './formats/fits/table.js';
export type { FitsHdu } from './formats/fits/write/hdu.js';
export { writeFits } from './formats/fits/write/writer.js';
export { type NpyArray, openNpy, writeNpy } from './formats/npy.js';
export { type OpenPtOptions, openPt, type PtFile } from './formats/pt/read.js';
export { denseTensor, type PtTensor, type PtValue, ptDict } from './formats/pt/value.js';
export { PtWriter } from './formats/pt/write.js';
export { aggregate } from './operators/aggregate.js';
export { batch } from './operators/batch.js';
export { encode } from './operators/encode.js';
export { evaluate } from './operators/evaluate.js';
export { read } from './operators/read.js';
export { render } from './operators/render.js';
export { sample } from './operators/sample.js';
export type {
  Batch,
  Catalog,
  Prediction,
  Shard,
  SkyImage,
  Table,
  Window,
} from './operators/support/nouns.js';
export { noiseMaker, renderKernels } from './operators/support/render/task.js';
export { tile } from './operators/tile.js';
export { train } from './operators/train.js';
export { write } from './operators/write.js';
export { compile } from './pipelines/compile.js';
export { dryRun } from './pipelines/dry-run.js';
export { type Executed, type ExecuteOptions, execute, type RunRecord } from './pipelines/execute.js';
export { explainText, mermaid } from './pipelines/explain.js';
export { inspect } from './pipelines/inspect.js';
export { type LoadResult, load, type Pipeline } from './pipelines/load.js';
export { planResume, type ResumePlan } from './pipelines/resume.js';
export { type ShowRequest, showPath } from './pipelines/show/subject.js';
export { type CatalogBand, type ClusterTruth, catalogBands, type SourceTable } from './science/catalog.js';
export { type Distribution, draw } from './science/distribution.js';
export { fieldWcs } from './science/field-wcs.js';
export {
  type FieldFrame,
  type FieldPrior,
  FieldSampler,
  fieldDefaults,
  type SampledField,
  sampleField,
} from './science/priors/field.js';
export { deriveSeed, Random } from './science/random.js';
export type { Kernels as RenderKernels } from './science/render/kernels.js';
export { type BandNoise, type NoiseMaker, noiseSeed, sigmaOfDepth } from './science/render/noise.js';
export { type PsfParams, parsePsf } from './science/render/psf.js';
export { modelPsf, type PsfModel } from './science/render/psf-model.js';
export { type DrawOptions, type ImageRows, Renderer } from './science/render/render.js';
export { type PixelPosition, type SkyPosition, type TanTerms, TanWcs } from './science/wcs.js';
export { version } from './version.js';
