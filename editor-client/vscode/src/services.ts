/** The parts of the extension, put together. */

import * as vscode from 'vscode';
import { currentEditor, followEditors } from './suggestions/activeEditor';
import { explain, summaryOf, type Explanation } from './ui/explanation';
import { readInstallation, type Installation } from './install/origin';
import { Lifecycle } from './server/lifecycle';
import { Log } from './server/log';
import { modelNow } from './ui/modelPicker';
import { Pages } from './ui/webview';
import { Status } from './ui/status';
import { Suggestions } from './suggestions/suggestions';
import { Switch } from './suggestions/enablement';

const HINT_MS = 5000;

/** What commands and events act on. */
export interface Parts {
  readonly log: Log;
  readonly installation: Installation;
  readonly power: Switch;
  readonly status: Status;
  readonly pages: Pages;
  readonly suggestions: Suggestions;
  readonly lifecycle: Lifecycle;
}

/** Makes all of them; the server is not started yet. */
export async function makeParts(context: vscode.ExtensionContext): Promise<Parts> {
  context.subscriptions.push(followEditors());
  const log = new Log();
  const installation = await readInstallation(context);
  const power = new Switch(context.globalState);
  const status = new Status(() => whyOff(power));
  const pages = new Pages();
  const suggestions = new Suggestions(
    power,
    (method, params) => lifecycle.running?.tell(method, params),
    () => void hint(lifecycle),
  );
  const lifecycle: Lifecycle = new Lifecycle({
    log,
    folder: context.globalStorageUri.fsPath,
    suggestions,
    report: (now) => {
      const version = lifecycle.running?.version;
      status.details = version && `Version ${version}, model: ${modelNow()}`;
      status.report(now);
      if (now.state === 'ready' || now.state === 'error') {
        void explainNow(parts, false);
      }
    },
  }, installation);
  context.subscriptions.push(log, power, status, pages, suggestions);
  const parts: Parts = { log, installation, power, status, pages, suggestions, lifecycle };
  return parts;
}

/**
 * Shows the page that explains.
 *
 * @param isNew whether to open it; if not, it is only drawn again where it is open
 */
export async function explainNow(parts: Parts, isNew: boolean): Promise<void> {
  const { pages, power, status, lifecycle: { running, found, missing } } = parts;
  await explain(pages, { power, status, client: running, found, missing }, isNew);
}

/** Says why the last request, which the user made, gave nothing. */
export async function hint(lifecycle: Lifecycle): Promise<void> {
  const last = await lifecycle.running?.ask<Explanation>('parrotlet.explain');
  const reason = last === undefined ? 'The server is not ready.' : summaryOf(last);
  vscode.window.setStatusBarMessage(`Parrotlet: ${reason}`, HINT_MS);
}

function whyOff(power: Switch): string | undefined {
  const off = power.whyOff(currentEditor()?.document);
  return off ?? (power.isSnoozing ? power.untilWhen : undefined);
}
