import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { MetricSpec } from '../../src/engine/metrics.js';
import { metrics, processMetrics } from '../../src/engine/metrics.js';
import { dashboardText, queries } from '../support/dashboard.js';

/** Every series name of the catalogue, with the labels it has. */
const known = new Map<string, readonly string[]>();
for (const spec of Object.values<MetricSpec>(metrics)) {
  if (spec.type !== 'histogram') known.set(spec.name, spec.labels);
  else
    for (const suffix of ['_bucket', '_sum', '_count']) known.set(spec.name + suffix, [...spec.labels, 'le']);
}
for (const name of Object.values(processMetrics)) known.set(name, []);

/** Labels that Prometheus itself adds to what it scrapes. */
const target = ['instance', 'job'];
const namesIn = (expr: string): string[] => expr.match(/\b(skypass|process|nodejs)_\w+/g) ?? [];

describe('the dashboard', () => {
  it('is what the script makes of the catalogue', () => {
    const script = fileURLToPath(new URL('../../scripts/grafana.mjs', import.meta.url));
    const made = execFileSync(process.execPath, [script, '--print'], { encoding: 'utf8' });
    expect(dashboardText === made, 'run `npm run build && node scripts/grafana.mjs`').toBe(true);
  });

  it.each(queries)('$panel asks only for metrics of the catalogue: $expr', ({ expr }) => {
    expect(namesIn(expr)).not.toHaveLength(0);
    for (const name of namesIn(expr)) expect(known.has(name), name).toBe(true);
  });

  it.each(queries)('$panel uses only labels those metrics have: $expr', ({ expr, legend }) => {
    const labels = new Set([...namesIn(expr).flatMap((name) => known.get(name) ?? []), ...target]);
    const matched = [...expr.matchAll(/(\w+)(?:=~|!?=")/g)].map(([, label]) => label);
    const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]+)\)/g)].flatMap(([, list = '']) =>
      list.split(', '),
    );
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    for (const label of [...matched, ...grouped, ...shown])
      expect(labels.has(label as string), label).toBe(true);
  });

  it('filters every Skypass metric by the chosen pipelines and processes', () => {
    for (const { expr } of queries) {
      const filtered = expr.match(/\bskypass_\w+\{pipeline=~"\$pipeline", instance=~"\$instance"[,}]/g) ?? [];
      expect(filtered).toHaveLength((expr.match(/\bskypass_\w+/g) ?? []).length);
    }
  });

  it('lets no panel hang over the edge or lie on another', () => {
    const panels: { gridPos: { x: number; y: number; w: number; h: number } }[] =
      JSON.parse(dashboardText).panels;
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});
