/** Creates the objects that commands and listeners work with, and connects them. */

import * as vscode from 'vscode';
import { readOrigin, type Origin } from './install/origin';
import { Lifecycle } from './server/lifecycle';
import { Log } from './server/log';
import { getActiveEditor, trackActiveEditor } from './suggestions/activeEditor';
import { Enablement } from './suggestions/enablement';
import { Suggestions } from './suggestions/suggestions';
import { Adaptation } from './ui/adaptation';
import { Explanation } from './ui/explanation';
import { describeModel } from './ui/modelPicker';
import { ServerMenu } from './ui/serverMenu';
import { Status } from './ui/status';
import { WebviewPages } from './ui/webview';

/** The objects that live as long as the extension. */
export interface Services {
  readonly log: Log;
  readonly origin: Origin;
  readonly enablement: Enablement;
  readonly status: Status;
  readonly pages: WebviewPages;
  readonly suggestions: Suggestions;
  readonly lifecycle: Lifecycle;
  readonly explanation: Explanation;
  readonly adaptation: Adaptation;
}

/** Creates all of them; the server is not started yet. */
export async function createServices(context: vscode.ExtensionContext): Promise<Services> {
  context.subscriptions.push(trackActiveEditor());
  const log = new Log();
  const origin = await readOrigin(context);
  const enablement = new Enablement(context.globalState);
  const status = new Status(() => enablement.describePause(getActiveEditor()?.document));
  const pages = new WebviewPages();
  const suggestions = new Suggestions(
    enablement,
    (method, params) => lifecycle.client?.notify(method, params),
    () => void explanation.showSummary(),
  );
  const lifecycle: Lifecycle = new Lifecycle({
    log,
    folder: context.globalStorageUri.fsPath,
    suggestions,
    onStatus: (serverStatus) => {
      const version = lifecycle.client?.version;
      const model = serverStatus.model ?? describeModel();
      status.details = version && `Version ${version}, model: ${model}`;
      status.setServerStatus(serverStatus);
      if (serverStatus.state === 'ready' || serverStatus.state === 'error') {
        void explanation.refresh();
      }
    },
    onAdaptation: (report) => {
      if (report === undefined) {
        adaptation.clear();
      } else {
        adaptation.onReport(report);
      }
    },
  }, origin);
  const explanation: Explanation = new Explanation(pages, enablement, status, lifecycle);
  const adaptation: Adaptation = new Adaptation(new ServerMenu(lifecycle, pages));
  context.subscriptions.push(log, enablement, status, pages, suggestions, adaptation);
  return {
    log, origin, enablement, status, pages, suggestions, lifecycle, explanation, adaptation,
  };
}
