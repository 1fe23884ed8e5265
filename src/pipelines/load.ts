/** From a pipeline file and overrides to checked stages, or everything that is wrong with them. */
import { fileURLToPath } from 'node:url';
import { type CheckedStage, type CheckProblem, type Lint, lintPipeline } from '../config/lint.js';
import { type LoadedPipeline, loadPipeline } from '../config/load.js';
import { textAt } from '../config/located.js';
import { formatBytes } from '../config/units.js';
import { specsByName } from './registry.js';

/** A pipeline that is fit to run. */
export interface Pipeline {
  readonly name: string;
  readonly file: string;
  readonly stages: readonly CheckedStage[];
  readonly memoryBytes: number;
  /** Folder of the run. */
  readonly dir: string;
  /** A run of another configuration in that folder is put aside instead of being refused. */
  readonly overwrite: boolean;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface LoadResult {
  readonly pipeline: Pipeline | undefined;
  readonly lints: readonly Lint[];
}

/** Config groups that come with the package. */
const packageConf = fileURLToPath(new URL('../../conf', import.meta.url));
const defaultMemory = 2 ** 31;

/**
 * Loads and checks a pipeline. Never throws for what is written in it.
 *
 * @param overrides `key=value`, `+key=value`, `~key`, `group=name`
 */
export async function load(file: string, overrides: readonly string[]): Promise<LoadResult> {
  const loaded = await loadPipeline(file, { overrides, env: process.env, confRoots: [packageConf] });
  const { lints, stages } = lintPipeline(loaded, specsByName, [
    batchFitsItsEdge,
    hasFolder,
    saysWhetherToOverwrite,
  ]);
  if (stages === undefined || loaded.pipeline === undefined) return { pipeline: undefined, lints };
  const { name, memoryBytes, values } = loaded.pipeline;
  return {
    pipeline: {
      name,
      file,
      stages,
      memoryBytes: memoryBytes ?? defaultMemory,
      dir: runDir(loaded.pipeline),
      overwrite: textAt(loaded.pipeline.root, 'run.overwrite') === 'true',
      values,
    },
    lints,
  };
}

const runDir = ({ root }: LoadedPipeline): string => textAt(root, 'run.dir') ?? '';

function hasFolder(_stages: readonly CheckedStage[], pipeline: LoadedPipeline): readonly CheckProblem[] {
  if (runDir(pipeline) !== '') return [];
  return [
    { path: 'run.dir', message: 'run.dir should be the folder of the run', hint: 'give run.dir=runs/NAME' },
  ];
}

function saysWhetherToOverwrite(
  _stages: readonly CheckedStage[],
  { root }: LoadedPipeline,
): readonly CheckProblem[] {
  const written = textAt(root, 'run.overwrite');
  if (written === undefined || written === 'true' || written === 'false') return [];
  return [{ path: 'run.overwrite', message: `run.overwrite should be true or false, but is "${written}"` }];
}

/** A batch keeps the places of its windows until it leaves, so it can never hold more than the edge before it. */
function batchFitsItsEdge(stages: readonly CheckedStage[]): readonly CheckProblem[] {
  return stages.flatMap((stage, i) => {
    const before = stages[i - 1];
    if (stage.operator !== 'batch' || before === undefined) return [];
    const items = stage.options.items as number;
    const { credit_items, credit_bytes } = before.options;
    const size = before.options.size as number | undefined;
    const written = stages.slice(0, i).map(({ options }) => options.bands);
    const bands = written.findLast((each) => Array.isArray(each))?.length ?? 1;
    const bytes = items * 4 * bands * (size ?? 0) ** 2;
    const path = `${stage.name}.items`;
    const tooMany: CheckProblem = {
      path,
      message: `a batch of ${items} is larger than the edge before it: ${before.name} lets ${credit_items} windows wait`,
      hint: `use ${before.name}.credit_items=${items} or ${stage.name}.items=${credit_items}`,
    };
    const tooLarge: CheckProblem = {
      path,
      message: `a batch of ${items} windows takes ${formatBytes(bytes)}, more than the edge before it: ${before.name} lets ${formatBytes(credit_bytes)} wait`,
      hint: `use ${before.name}.credit_bytes=${Math.ceil(bytes / 2 ** 20)}MiB or a smaller batch`,
    };
    return [
      ...(items > credit_items ? [tooMany] : []),
      ...(items > 1 && bytes > credit_bytes ? [tooLarge] : []),
    ];
  });
}
