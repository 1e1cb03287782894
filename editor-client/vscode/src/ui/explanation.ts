/** "Why is nothing shown?": what the editor, the settings and the server say, in one page. */

import * as vscode from 'vscode';
import type { Client } from '../server/client';
import { currentEditor } from '../suggestions/activeEditor';
import type { Found, Missing } from '../server/discovery';
import { escaped, table, type Button, type Pages, type Row } from './webview';
import { listOf } from '../settings/configuration';
import type { Status } from './status';
import type { Switch } from '../suggestions/enablement';

/** What the server says of its last request. */
export interface Explanation {
  readonly time: number;
  readonly stage: string;
  /** How it ended, as a sentence. A server of another version may have none. */
  readonly summary?: string;
  /** What was changed about the suggestion, as sentences. */
  readonly adjustments?: readonly string[];
  /** Whose text it repeats, as a sentence. */
  readonly attribution?: string | null;
  readonly extent: string;
  readonly prompt_tokens: number;
  readonly reused_tokens: number;
  readonly new_tokens: number;
  readonly confidence: number;
  readonly total_ms: number | null;
}

/** What the page is made from. */
export interface Facts {
  readonly power: Switch;
  readonly status: Status;
  readonly client: Client | undefined;
  readonly found: Found | undefined;
  readonly missing: Missing | undefined;
}

/** One thing that must hold for anything to be shown. */
interface Check {
  readonly holds: boolean;
  readonly text: string;
  readonly help?: readonly Button[];
}

const KIND = 'explain';

const BUTTONS: readonly Button[] = [
  ['Trigger Suggestion', 'parrotlet.ask'],
  ['Show Log', 'parrotlet.showLog'],
  ['Show All Actions…', 'parrotlet.menu'],
];

const ENDINGS: Readonly<Record<string, string>> = {
  shown: 'A suggestion was shown.',
  'typed through': 'The suggestion continued as you typed.',
  confidence: 'The model was not confident enough in its suggestion.',
  rules: 'The suggestion was discarded because it did not fit the code around it.',
  cancelled: 'The request was replaced by a newer one.',
  failed: 'The request failed. See the log for details.',
};
const NOTHING = 'The model had nothing to suggest.';

/**
 * Shows the page.
 *
 * @param isNew whether to open it; if not, it is only drawn again where it is open
 */
export async function explain(pages: Pages, facts: Facts, isNew: boolean): Promise<void> {
  if (!isNew && !pages.isOpen(KIND)) {
    return;
  }
  const last = await facts.client?.ask<Explanation>('parrotlet.explain');
  const health = await facts.client?.ask<{ report?: readonly Row[] }>('parrotlet.health');
  const checks = checked(facts);
  const lead = checks.find(({ holds }) => !holds)?.text
    ?? (last === undefined ? 'No suggestion has been requested yet.' : summaryOf(last));
  const help = checks.flatMap(({ holds, help: buttons }) => (holds ? [] : buttons ?? []));
  const list = checks.map(({ holds, text }) => (
    `<li><span class="mark ${holds ? 'good">✓' : 'bad">✗'}</span>${escaped(text)}</li>`
  ));
  const body = [
    '<h1>Why is nothing shown?</h1>',
    `<p class="lead">${escaped(lead)}</p>`,
    `<h2>In the editor</h2><ul>${list.join('')}</ul>`,
    ...(last ? [`<h2>Last request</h2>${table(rowsOf(last))}`] : []),
    ...(health ? [`<h2>Server</h2>${table(serverRows(health.report ?? [], facts.found))}`] : []),
  ];
  const page = [KIND, 'Why Is Nothing Shown?', body.join('\n'), [...help, ...BUTTONS]] as const;
  if (isNew) {
    pages.show(...page);
  } else {
    pages.draw(...page);
  }
}

/** Returns a sentence on how a request ended. */
export function summaryOf({ summary, stage }: Explanation): string {
  return summary ?? ENDINGS[stage] ?? NOTHING;
}

function checked(facts: Facts): Check[] {
  const document = currentEditor()?.document;
  if (document === undefined) {
    return [ofServer(facts), { holds: false, text: 'No file is open in an editor.' }];
  }
  const { power } = facts;
  const off = power.whyOff(document);
  const silent = power.whySilent(document);
  const inline = vscode.workspace.getConfiguration('editor', document).get('inlineSuggest.enabled');
  const hasLanguage = listOf('languages').includes(document.languageId);
  return [
    ofServer(facts),
    {
      holds: hasLanguage,
      text: `The language “${document.languageId}” is turned ${hasLanguage ? 'on' : 'off'}.`,
      help: [['Turn On for This Language', 'parrotlet.toggleLanguage']],
    },
    {
      holds: off === undefined,
      text: `Parrotlet is ${off ?? 'on for this file'}.`,
      help: hasLanguage ? [['Turn On…', 'parrotlet.menu']] : [],
    },
    {
      holds: silent === undefined,
      text: silent === undefined
        ? 'Automatic suggestions are on.'
        : `Parrotlet is ${silent}.`,
      help: power.isSnoozing
        ? [['Cancel Snooze', 'parrotlet.wake']]
        : [['Suggest While Typing', 'parrotlet.toggleAutomatic']],
    },
    {
      holds: inline !== false,
      text: `The setting editor.inlineSuggest.enabled is ${inline === false ? 'off' : 'on'}.`,
    },
  ];
}

function ofServer({ status, client, missing }: Facts): Check {
  const install: Button[] = [
    ...(missing?.canInstall === true
      ? [['Install Server…', 'parrotlet.installServer'] as const]
      : []),
    ['Set Server Path…', 'parrotlet.setServerPath'],
  ];
  return {
    holds: client !== undefined && status.isWell,
    text: missing === undefined
      ? `${status.sentenceOfServer('The server')}.`
      : `${missing.reason.slice(0, 1).toUpperCase()}${missing.reason.slice(1)}.`,
    help: missing === undefined ? [['Restart Server', 'parrotlet.restartServer']] : install,
  };
}

function rowsOf(last: Explanation): Row[] {
  return [
    ['Result', summaryOf(last)],
    ['Adjustments', last.adjustments?.join(' ')],
    ['Source', last.attribution],
    ['Time', new Date(1000 * last.time).toLocaleTimeString()],
    ['Duration', last.total_ms === null ? undefined : `${Math.round(last.total_ms)} ms`],
    ['Confidence', percentage(last.confidence)],
    ['Length', last.extent],
    ['Prompt', `${last.prompt_tokens} tokens, ${last.reused_tokens} of them from the cache`],
    ['Generated', `${last.new_tokens} ${last.new_tokens === 1 ? 'token' : 'tokens'}`],
  ];
}

/** Returns a share as "34%"; undefined if nothing is known of it. */
function percentage(share: number): string | undefined {
  const percent = Math.round(100 * share);
  return share > 0 ? percent === 0 ? 'less than 1%' : `${percent}%` : undefined;
}

function serverRows(report: readonly Row[], found: Found | undefined): Row[] {
  return [
    ['Found in', found?.where],
    ['Command', found && [found.command, ...found.args].join(' ')],
    ...report,
  ];
}
