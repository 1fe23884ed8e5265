import { readFileSync } from 'node:fs';

/** The dashboard as it is checked in. */
export const dashboardText = readFileSync(
  new URL('../../grafana/dashboards/skypass.json', import.meta.url),
  'utf8',
);

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** Every query of every panel. */
export const queries = (JSON.parse(dashboardText).panels as Panel[]).flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ panel: title, expr, legend: legendFormat })),
);
