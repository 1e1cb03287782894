/**
 * "Why Is Nothing Shown?": what the editor's state and settings allow, and the server's own report
 * on the last request in the file.
 */

import * as vscode from 'vscode';
import type { ServerCommand } from '../server/discovery';
import type { Lifecycle } from '../server/lifecycle';
import { getActiveEditor } from '../suggestions/activeEditor';
import { isLanguageEnabled, type Enablement } from '../suggestions/enablement';
import type { Status } from './status';
import {
  escapeHtml, renderTable, type Button, type Page, type Row, type WebviewPages,
} from './webview';

/** The server's report on its last request. Servers of other versions may omit parts of it. */
interface LastRequest {
  /** In seconds since 1970. */
  readonly time: number;
  /** How it ended, as a sentence. */
  readonly summary?: string;
  readonly report?: readonly Row[];
}

interface Health {
  readonly report?: readonly Row[];
}

/** A condition for suggestions to be shown. */
interface Check {
  readonly isMet: boolean;
  readonly text: string;
  /** Buttons that help if it is not met. */
  readonly help?: readonly Button[];
}

const KIND = 'explain';
const SUMMARY_MS = 5000;
const NO_REQUEST = 'No suggestion has been requested in this file yet.';
const NO_SERVER = 'The server is not ready.';

const BUTTONS: readonly Button[] = [
  ['Trigger Suggestion', 'parrotlet.ask'],
  ['Show Log', 'parrotlet.showLog'],
  ['Show All Actions…', 'parrotlet.menu'],
];

/** Explains why there is no suggestion. */
export class Explanation {
  constructor(
    private readonly pages: WebviewPages,
    private readonly enablement: Enablement,
    private readonly status: Status,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** Opens the page. */
  async show(): Promise<void> {
    this.pages.show(KIND, await this.createPage());
  }

  /** Updates the page, if it is open. */
  async refresh(): Promise<void> {
    if (this.pages.isOpen(KIND)) {
      this.pages.refresh(KIND, await this.createPage());
    }
  }

  /** Says in the status bar how the last request ended. */
  async showSummary(): Promise<void> {
    const last = await this.fetchLastRequest();
    const summary = last?.summary ?? NO_SERVER;
    vscode.window.setStatusBarMessage(`Parrotlet: ${summary}`, SUMMARY_MS);
  }

  private async fetchLastRequest(): Promise<LastRequest | undefined> {
    const { client } = this.lifecycle;
    const document = getActiveEditor()?.document;
    const place = document === undefined ? [] : [{ uri: client?.getUri(document) }];
    return client?.execute<LastRequest>('parrotlet.explain', ...place);
  }

  private async createPage(): Promise<Page> {
    const last = await this.fetchLastRequest();
    const health = await this.lifecycle.client?.execute<Health>('parrotlet.health');
    const checks = this.check();
    const failed = checks.filter(({ isMet }) => !isMet);
    const lead = failed[0]?.text ?? last?.summary ?? NO_REQUEST;
    const body = [
      '<h1>Why is nothing shown?</h1>',
      `<p class="lead">${escapeHtml(lead)}</p>`,
      `<h2>In the editor</h2><ul>${checks.map(renderCheck).join('')}</ul>`,
    ];
    if (last !== undefined) {
      const time: Row = ['Time', new Date(1000 * last.time).toLocaleTimeString()];
      body.push(`<h2>Last request</h2>${renderTable([time, ...last.report ?? []])}`);
    }
    if (health !== undefined) {
      const rows = [...describeCommand(this.lifecycle.command), ...health.report ?? []];
      body.push(`<h2>Server</h2>${renderTable(rows)}`);
    }
    return {
      title: 'Why Is Nothing Shown?',
      body: body.join('\n'),
      buttons: [...failed.flatMap(({ help }) => help ?? []), ...BUTTONS],
    };
  }

  private check(): Check[] {
    const document = getActiveEditor()?.document;
    return [
      this.checkServer(),
      ...(document === undefined
        ? [{ isMet: false, text: 'No file is open in an editor.' }]
        : this.checkDocument(document)),
    ];
  }

  private checkServer(): Check {
    const { client, notFound } = this.lifecycle;
    const isMet = client !== undefined && this.status.isHealthy;
    if (notFound === undefined) {
      const text = `${this.status.describeServer('The server')}.`;
      return { isMet, text, help: [['Restart Server', 'parrotlet.restartServer']] };
    }
    const { reason, canInstall } = notFound;
    return {
      isMet,
      text: `${reason.slice(0, 1).toUpperCase()}${reason.slice(1)}.`,
      help: [
        ...(canInstall ? [['Install Server…', 'parrotlet.installServer'] as const] : []),
        ['Set Server Path…', 'parrotlet.setServerPath'],
      ],
    };
  }

  private checkDocument(document: vscode.TextDocument): Check[] {
    const { languageId } = document;
    const hasLanguage = isLanguageEnabled(document);
    const disabledReason = this.enablement.getDisabledReason(document);
    return [
      {
        isMet: hasLanguage,
        text: `The language “${languageId}” is turned ${hasLanguage ? 'on' : 'off'}.`,
        help: [['Turn On for This Language', 'parrotlet.toggleLanguage']],
      },
      {
        isMet: disabledReason === undefined,
        text: `Parrotlet is ${disabledReason ?? 'on for this file'}.`,
        help: hasLanguage ? [['Turn On…', 'parrotlet.menu']] : [],
      },
      this.checkAutomatic(document),
      checkInlineSuggest(document),
    ];
  }

  private checkAutomatic(document: vscode.TextDocument): Check {
    const reason = this.enablement.getPauseReason(document);
    return {
      isMet: reason === undefined,
      text: reason === undefined ? 'Automatic suggestions are on.' : `Parrotlet is ${reason}.`,
      help: this.enablement.isSnoozed
        ? [['Cancel Snooze', 'parrotlet.wake']]
        : [['Suggest While Typing', 'parrotlet.toggleAutomatic']],
    };
  }
}

function checkInlineSuggest(document: vscode.TextDocument): Check {
  const editorSettings = vscode.workspace.getConfiguration('editor', document);
  const isMet = editorSettings.get('inlineSuggest.enabled') !== false;
  return { isMet, text: `The setting editor.inlineSuggest.enabled is ${isMet ? 'on' : 'off'}.` };
}

function renderCheck({ isMet, text }: Check): string {
  const mark = isMet ? '<span class="mark good">✓</span>' : '<span class="mark bad">✗</span>';
  return `<li>${mark}${escapeHtml(text)}</li>`;
}

function describeCommand(command: ServerCommand | undefined): Row[] {
  return command === undefined ? [] : [
    ['Found in', command.location],
    ['Command', [command.command, ...command.args].join(' ')],
  ];
}
