/** What was shown and taken, as the server has counted it on this machine. */

import type { Client } from './client';
import { escaped, table, type Pages } from './page';
import { isCounting } from './settings';

interface Figures {
  readonly shown: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly accepted_by: Readonly<Record<string, number>>;
  readonly characters_saved: number;
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
}

/** Shows the page; without a server there is nothing to show. */
export async function showStatistics(pages: Pages, client: Client | undefined): Promise<void> {
  const figures = await client?.ask<Figures>('parrotlet.statistics');
  const lead = figures === undefined
    ? 'The server, which counts, is not running.'
    : !isCounting()
      ? 'Counting is off (parrotlet.statistics); these are the figures from before.'
      : 'Counted on this machine, and kept there.';
  const body = [
    '<h1>Statistics</h1>',
    `<p class="lead">${escaped(lead)}</p>`,
    figures === undefined ? '' : table(rows(figures)),
  ];
  pages.show('statistics', 'Parrotlet: Statistics', body.join('\n'), [
    ['Show Log', 'parrotlet.showLog'],
    ['Open Settings', 'parrotlet.openSettings'],
  ]);
}

function rows(figures: Figures): [string, unknown][] {
  const { shown, accepted, rejected, accepted_by: by } = figures;
  const share = shown > 0 ? ` (${Math.round((100 * accepted) / shown)} %)` : '';
  const how = Object.entries(by).map(([name, n]) => `${name} ${n}`).join(', ');
  return [
    ['shown', shown],
    ['taken', `${accepted}${share}`],
    ['taken as', how],
    ['dismissed', rejected],
    ['characters saved', figures.characters_saved],
    ['time to a suggestion', inMs(figures.latency_p50_ms, 'at the median')],
    ['', inMs(figures.latency_p95_ms, 'for one in twenty')],
  ];
}

function inMs(ms: number | null, what: string): string | undefined {
  return ms === null ? undefined : `${Math.round(ms)} ms ${what}`;
}
