/** Skypass as people start it: a process of its own, from `dist/`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const desPass = join(root, 'conf', 'pipelines', 'des-pass.yaml');
export const main = join(root, 'dist', 'cli', 'main.js');

/** How a process ended, and what it said. */
export interface Ended {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell commands in front, such as `ulimit -n 40`. */
  readonly shell?: string;
}

/** One start of the command line. It leads a process group of its own, so that a signal reaches all of it. */
export class Cli {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #out = '';
  #err = '';
  #hasEnded = false;

  constructor(args: readonly string[], { cwd = root, env = {}, shell }: CliOptions = {}) {
    const command = [process.execPath, main, ...args];
    const [program, ...rest] =
      shell === undefined ? command : ['/bin/sh', '-c', `${shell}; exec "$0" "$@"`, ...command];
    this.#child = spawn(program as string, rest, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
    });
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#hasEnded = true;
      return { code: code ?? undefined, signal: signal ?? undefined, out: this.#out, err: this.#err };
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get err(): string {
    return this.#err;
  }

  /** Sends a signal to the whole group. */
  kill(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#hasEnded) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Waits until something is true, or the process has ended. */
  async until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
    while (!this.#hasEnded && !(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs the command line to its end. */
export const skypass = (args: readonly string[], options?: CliOptions): Promise<Ended> =>
  new Cli(args, options).ended;

export interface Pass {
  readonly survey: string;
  readonly dir: string;
}

/** The arguments of a pass over small tiles: windows of 256 px side by side. Later overrides win. */
export const passArgs = ({ survey, dir }: Pass, ...overrides: readonly string[]): string[] => [
  'run',
  desPass,
  '--metrics-port',
  '0',
  `survey.path=${survey}`,
  `run.dir=${dir}`,
  'tile.size=256',
  'tile.step=256',
  ...overrides,
];

/** A pass to its end. */
export const pass = (of: Pass, ...overrides: readonly string[]): Promise<Ended> =>
  skypass(passArgs(of, ...overrides));
