/** Shows how many suggestions were shown and accepted, as counted by the server. */

import type { Client } from '../server/client';
import { isCountingEnabled } from '../settings/configuration';
import { escapeHtml, renderTable, type Row, type WebviewPages } from './webview';

interface Statistics {
  readonly report?: readonly Row[];
}

/** Opens the page. */
export async function showStatistics(
  pages: WebviewPages, client: Client | undefined,
): Promise<void> {
  const statistics = await client?.execute<Statistics>('parrotlet.statistics');
  const lead = statistics === undefined
    ? 'Statistics are unavailable: the server is not running.'
    : !isCountingEnabled()
      ? 'Counting is turned off. These figures are from before.'
      : 'Statistics stay on this machine.';
  const body = [
    '<h1>Statistics</h1>',
    `<p class="lead">${escapeHtml(lead)}</p>`,
    renderTable(statistics?.report ?? []),
  ];
  pages.show('statistics', {
    title: 'Parrotlet: Statistics',
    body: body.join('\n'),
    buttons: [['Open Settings', 'parrotlet.openSettings'], ['Show Log', 'parrotlet.showLog']],
  });
}
