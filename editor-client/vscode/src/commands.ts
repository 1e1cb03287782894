/** Registers the commands that package.json contributes. */

import * as vscode from 'vscode';
import { removeUnusedEnvironments } from './install/environment';
import { installServer } from './install/installer';
import type { Log } from './server/log';
import { setServerPath } from './server/serverPath';
import type { Services } from './services';
import { SECTION } from './settings/settingNames';
import { focusActiveEditor, getActiveEditor } from './suggestions/activeEditor';
import { ACCEPTED_COMMAND } from './suggestions/suggestions';
import {
  toggleAutomatic, toggleEverywhere, toggleFile, toggleLanguage, toggleWorkspace,
} from './suggestions/toggles';
import { showActionMenu } from './ui/actionMenu';
import { chooseModel } from './ui/modelPicker';
import { showStatistics } from './ui/statistics';
import { chooseEagerness, chooseExtent } from './ui/suggestionPickers';

const SETTINGS_QUERY = '@ext:parrotlet.parrotlet';

type Action = () => Promise<unknown>;

/** Registers all of them. */
export function registerCommands(context: vscode.ExtensionContext, services: Services): void {
  const actions: Record<string, Action> = {
    ...createSuggestionActions(services),
    ...createServerActions(services),
    ...createEnablementActions(services),
    ...createAdaptationActions(services),
    openWalkthrough: async () => {
      const walkthrough = `${context.extension.id}#start`;
      await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthrough, false);
    },
  };
  for (const [name, action] of Object.entries(actions)) {
    context.subscriptions.push(vscode.commands.registerCommand(`${SECTION}.${name}`, action));
  }
  context.subscriptions.push(vscode.commands.registerCommand(
    ACCEPTED_COMMAND, (command?: vscode.Command) => services.suggestions.onAccepted(command),
  ));
}

function createSuggestionActions(services: Services): Record<string, Action> {
  const { suggestions, enablement, lifecycle, explanation, pages } = services;
  return {
    ask: async () => {
      const reason = enablement.getDisabledReason(getActiveEditor()?.document);
      if (reason !== undefined) {
        void vscode.window.showInformationMessage(`Parrotlet is ${reason}.`);
      } else if (lifecycle.client?.isRunning === true) {
        await focusActiveEditor();
        await suggestions.trigger();
      } else {
        await explanation.showSummary();
      }
    },
    accept: () => suggestions.accept(),
    acceptWord: () => suggestions.acceptPart('word'),
    acceptLine: () => suggestions.acceptPart('line'),
    showNext: () => suggestions.cycle('next'),
    showPrevious: () => suggestions.cycle('previous'),
    dismiss: () => suggestions.dismiss(),
    chooseExtent,
    chooseEagerness,
    newFile,
    whyNothing: () => explanation.show(),
    showStatistics: () => showStatistics(pages, lifecycle.client),
  };
}

function createServerActions(services: Services): Record<string, Action> {
  const { lifecycle, origin, log, status } = services;
  return {
    chooseModel,
    restartServer: refreshAfter(services, () => lifecycle.restart()),
    installServer: refreshAfter(services, async () => {
      if (await installServer({ origin, log, status })) {
        await lifecycle.restart();
        await removeUnusedEnvironments(origin.storage);
      }
    }),
    setServerPath,
    showLog: () => {
      log.main.show();
      return Promise.resolve();
    },
    showTrace: () => showTrace(log),
  };
}

function createEnablementActions(services: Services): Record<string, Action> {
  const { enablement, status, lifecycle, adaptation } = services;
  return {
    menu: () => showActionMenu(status, enablement, lifecycle.notFound, adaptation.describe()),
    toggle: refreshAfter(services, toggleEverywhere),
    toggleWorkspace: refreshAfter(services, toggleWorkspace),
    toggleLanguage: refreshAfter(services, toggleLanguage),
    toggleFile: refreshAfter(services, () => toggleFile(enablement)),
    toggleAutomatic: refreshAfter(services, toggleAutomatic),
    snooze: refreshAfter(services, () => enablement.snooze()),
    wake: refreshAfter(services, () => enablement.endSnooze()),
    openSettings: async () => {
      await vscode.commands.executeCommand('workbench.action.openSettings', SETTINGS_QUERY);
    },
  };
}

function createAdaptationActions({ adaptation }: Services): Record<string, Action> {
  return {
    adaptModel: (name?: string) => adaptation.showMenu(name),
    pauseAdapting: () => adaptation.choose('pause'),
    resumeAdapting: () => adaptation.choose('resume'),
    cancelAdapting: () => adaptation.choose('cancel'),
    showAdaptationReport: () => adaptation.showReport(),
    manageModels: () => adaptation.manageModels(),
  };
}

/** Returns an action that also refreshes "Why Is Nothing Shown?", if it is open. */
function refreshAfter({ explanation }: Services, action: Action): Action {
  return async () => {
    await action();
    await explanation.refresh();
  };
}

async function newFile(): Promise<void> {
  const document = await vscode.workspace.openTextDocument({ language: 'python' });
  await vscode.window.showTextDocument(document);
}

/** Shows the messages between extension and server, which are recorded only at the level Trace. */
async function showTrace({ trace }: Log): Promise<void> {
  trace.show();
  if (trace.logLevel !== vscode.LogLevel.Trace) {
    const choice = await vscode.window.showInformationMessage(
      'The messages between the extension and the server are recorded while the log level of this'
      + ' output is Trace. They contain your code and stay on this machine.',
      'Set Log Level…',
    );
    if (choice !== undefined) {
      await vscode.commands.executeCommand('workbench.action.setLogLevel');
    }
  }
}
