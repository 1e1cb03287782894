/** "Why is nothing shown?": what the editor, the settings and the server say, in one page. */

import * as vscode from 'vscode';
import type { Client } from './client';
import { currentEditor } from './editors';
import type { Found } from './finding';
import { escaped, table, type Button, type Pages } from './page';
import { listOf } from './settings';
import type { Status } from './status';
import type { Switch } from './switch';

/** What the server tells of its last request. */
export interface Explanation {
  readonly time: number;
  readonly stage: string;
  readonly reason: string | null;
  readonly rules: readonly string[];
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
}

/** One thing that must hold for anything to be shown. */
interface Check {
  readonly holds: boolean;
  readonly text: string;
  readonly help?: Button;
}

const BUTTONS: readonly Button[] = [
  ['Suggest Now', 'parrotlet.ask'],
  ['Show Log', 'parrotlet.showLog'],
  ['All Actions', 'parrotlet.menu'],
];

/** Shows the page. */
export async function explain(pages: Pages, facts: Facts): Promise<void> {
  const last = await facts.client?.ask<Explanation>('parrotlet.explain');
  const health = await facts.client?.ask<Record<string, unknown>>('parrotlet.health');
  const checks = checked(facts);
  const lead = leadOf(checks, last);
  const help = checks.flatMap(({ holds, help: button }) => (holds || !button ? [] : [button]));
  const list = checks.map(({ holds, text }) => (
    `<li><span class="mark ${holds ? 'good">✓' : 'bad">✗'}</span>${escaped(text)}</li>`
  ));
  const body = [
    '<h1>Why is nothing shown?</h1>',
    `<p class="lead">${escaped(lead)}</p>`,
    `<h2>In the editor</h2><ul>${list.join('')}</ul>`,
    ...(last ? [`<h2>The last request</h2>${table(rowsOf(last))}`] : []),
    ...(health ? [`<h2>The server</h2>${table(healthRows(health, facts.found))}`] : []),
  ];
  pages.show('explain', 'Why Is Nothing Shown?', body.join('\n'), [...help, ...BUTTONS]);
}

/** Returns a sentence on how a request ended. */
export function sentence(last: Explanation): string {
  const percent = Math.round(100 * last.confidence);
  switch (last.stage) {
    case 'shown':
    case 'typed through':
      return 'The last request ended with a suggestion.';
    case 'confidence':
      return `The model was not sure enough of what it would suggest (${percent} %).`
        + ' Make suggestions more eager to see more.';
    case 'rules':
      return `A rule took the suggestion back: ${last.reason ?? last.rules.join(', ')}.`;
    case 'cancelled':
      return 'The last request was overtaken by the next key.';
    case 'failed':
      return `The last request failed: ${last.reason ?? 'see the log'}.`;
    default:
      return `The model had nothing to suggest (${last.reason ?? last.stage}).`;
  }
}

function leadOf(checks: readonly Check[], last: Explanation | undefined): string {
  const failed = checks.find(({ holds }) => !holds);
  if (failed !== undefined) {
    return `${failed.text[0]?.toUpperCase() ?? ''}${failed.text.slice(1)}.`;
  }
  return last === undefined ? 'Nothing has been asked of the server yet.' : sentence(last);
}

function checked({ power, status, client }: Facts): Check[] {
  const document = currentEditor()?.document;
  const server: Check = {
    holds: client !== undefined && status.isWell,
    text: status.isWell
      ? `the server is ${status.toldOfServer}`
      : `the server does not work (${status.toldOfServer})`,
    help: ['Restart Server', 'parrotlet.restartServer'],
  };
  if (document === undefined) {
    return [server, { holds: false, text: 'no file is open to suggest in' }];
  }
  const off = power.whyOff(document);
  const silent = power.whySilent(document);
  const inline = vscode.workspace.getConfiguration('editor', document).get('inlineSuggest.enabled');
  return [
    server,
    {
      holds: listOf('languages').includes(document.languageId),
      text: `the file's language is ${document.languageId}`,
      help: ['Turn On for This Language', 'parrotlet.toggleLanguage'],
    },
    {
      holds: off === undefined,
      text: `Parrotlet is ${off ?? 'on for this file'}`,
      help: ['Choose What Is On', 'parrotlet.menu'],
    },
    {
      holds: silent === undefined,
      text: `Parrotlet is ${silent ?? 'suggesting while you type'}`,
      help: power.isSnoozing
        ? ['End Snooze', 'parrotlet.wake']
        : ['Suggest While Typing', 'parrotlet.toggleAutomatic'],
    },
    {
      holds: inline !== false,
      text: `the editor's own setting editor.inlineSuggest.enabled is ${inline ? 'on' : 'off'}`,
    },
  ];
}

function rowsOf(last: Explanation): [string, unknown][] {
  const ms = last.total_ms === null ? undefined : `${Math.round(last.total_ms)} ms`;
  return [
    ['ended', sentence(last)],
    ['at', new Date(1000 * last.time).toLocaleTimeString()],
    ['took', ms],
    ['how sure', last.confidence > 0 ? `${Math.round(100 * last.confidence)} %` : undefined],
    ['extent', last.extent],
    ['rules that shortened it', last.rules.join(', ')],
    ['tokens read', `${last.prompt_tokens}, of which ${last.reused_tokens} were known`],
    ['tokens written', last.new_tokens],
  ];
}

function healthRows(
  health: Readonly<Record<string, unknown>>, found: Found | undefined,
): [string, unknown][] {
  const facts = Object.entries(health).filter(([name]) => name !== 'reason' && name !== 'state');
  return [
    ['found in', found?.where],
    ['command', found && [found.command, ...found.args].join(' ')],
    ...facts.map(([name, value]): [string, unknown] => [
      name.replace(/_(mib|ms|s)$/, ' ($1)').replaceAll('_', ' '), value,
    ]),
  ];
}
