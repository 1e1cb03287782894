/** What was shown and accepted, as the server has counted it on this machine. */

import type { Client } from '../server/client';
import { escaped, table, type Pages, type Row } from './webview';
import { isCounting } from '../settings/configuration';

interface Figures {
  readonly report?: readonly Row[];
}

/** Shows the page; without a server there is nothing to show. */
export async function showStatistics(pages: Pages, client: Client | undefined): Promise<void> {
  const figures = await client?.ask<Figures>('parrotlet.statistics');
  const lead = figures === undefined
    ? 'Statistics are unavailable: the server is not running.'
    : !isCounting()
      ? 'Counting is turned off. These figures are from before.'
      : 'Statistics stay on this machine.';
  const body = [
    '<h1>Statistics</h1>',
    `<p class="lead">${escaped(lead)}</p>`,
    figures === undefined ? '' : table(figures.report ?? []),
  ];
  pages.show('statistics', 'Parrotlet: Statistics', body.join('\n'), [
    ['Open Settings', 'parrotlet.openSettings'],
    ['Show Log', 'parrotlet.showLog'],
  ]);
}
