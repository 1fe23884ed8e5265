import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MetricsServer } from '../../src/engine/http.js';
import { serveMetrics } from '../../src/engine/http.js';
import { RunMeters } from '../../src/engine/meters.js';
import { queries } from '../support/dashboard.js';

const isInstalled = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0);
// Continuous integration installs Prometheus; there its absence is a failure, not a reason to look away.
const isAsked = isInstalled || process.env.CI !== undefined;

/** A small pass in which everything happens that a panel shows, training too. */
function busyRun(): { meters: RunMeters; stop(): void } {
  const meters = new RunMeters('des-pass');
  const stages = ['read', 'tile', 'batch', 'encode', 'write'].map((name) => meters.stage(name, name));
  const [read, , , encode] = stages;
  for (const stage of stages) stage.limits(8, 1e9);
  meters.memory(1e9, 3e9);
  meters.expected(1_000_000);
  meters.training.plan({ steps: 1_000_000, epochs: 3 });
  meters.training.scores({ loss: 0.1, accuracy: 0.9, precision: 0.8, recall: 0.7, f1: 0.75, auc: 0.95 });
  let settled = 0;
  const timer = setInterval(() => {
    for (const stage of stages) {
      const end = stage.running();
      stage.received(1, 1e6);
      stage.queue(3, 3e6);
      stage.outcome('ok');
      stage.sent(1, 1e6);
      end();
    }
    const endSession = meters.encoderRunning('cpu');
    meters.encoder('cpu', 0.05);
    setTimeout(endSession, 20);
    meters.window('ok');
    meters.tile('ok');
    meters.sky(0.5);
    settled += 1;
    meters.settled(settled);
    meters.training.step({
      ...{ step: settled, epoch: 1, loss: 0.1, learningRate: 1e-3, gradientNorm: 2 },
      ...{ samples: 4, seconds: 0.04, waitSeconds: 0.01 },
    });
  }, 50);
  read?.blocked('downstream');
  read?.error('fits_truncated');
  read?.outcome('unprocessable');
  encode?.blocked('device');
  return { meters, stop: () => clearInterval(timer) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe.runIf(isAsked)('with Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skypass-prometheus-'));
  const run = busyRun();
  let metricsServer: MetricsServer;
  let prometheus: ChildProcess;
  let address = '';
  let said = '';

  beforeAll(async () => {
    metricsServer = await serveMetrics(run.meters, { port: 0, isReady: () => true, isLive: () => true });
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: skypass, static_configs: [{ targets: ['127.0.0.1:${metricsServer.port}'] }] }]\n`,
    );
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    prometheus.stderr?.on('data', (data) => {
      said += data;
    });
    await once(prometheus, 'spawn');
  });

  afterAll(async () => {
    run.stop();
    if (prometheus.exitCode === null && prometheus.kill('SIGKILL')) await once(prometheus, 'exit');
    await metricsServer.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The samples of an instant query; none while Prometheus is still starting. */
  async function ask(expr: string): Promise<number[]> {
    const query = expr
      .replaceAll('$__rate_interval', '4s')
      .replaceAll('$window', '10s')
      .replaceAll('$pipeline', '.*')
      .replaceAll('$instance', '.*');
    const response = await fetch(`${address}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    }).catch(() => undefined);
    if (response === undefined || response.status === 503) return [];
    const { status, error, data } = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: { value: [number, string] }[] };
    };
    expect(status, error).toBe('success');
    return (data?.result ?? []).map(({ value: [, value] }) => Number(value));
  }

  it('gives every panel of the dashboard numbers to show', async () => {
    let silent = queries;
    for (let second = 0; silent.length > 0 && second < 25; second += 1) {
      await sleep(1000);
      expect(prometheus.exitCode, said).toBeNull();
      const answers = await Promise.all(silent.map(({ expr }) => ask(expr)));
      silent = silent.filter((_, place) => !answers[place]?.some(Number.isFinite));
    }
    expect(silent).toEqual([]);
  });

  it('finds no fault with names, types and help texts', async () => {
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
      input: await run.meters.text(),
      encoding: 'utf8',
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
  });

  it('takes the scrape configuration of the README', () => {
    const readme = readFileSync(new URL('../../grafana/README.md', import.meta.url), 'utf8');
    const [, snippet = ''] = readme.match(/```yaml\n(scrape_configs:[^`]*)```/) ?? [];
    const config = join(folder, 'readme.yml');
    writeFileSync(config, snippet);
    expect(spawnSync('promtool', ['check', 'config', config], { encoding: 'utf8' })).toMatchObject({
      status: 0,
    });
    expect(snippet).toContain("'127.0.0.1:9464'");
  });
});
