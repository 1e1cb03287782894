/** The menu that the status bar item opens: all actions, the most relevant ones first. */

import * as vscode from 'vscode';
import type { ServerNotFound } from '../server/discovery';
import { getFlag, getText } from '../settings/configuration';
import { getActiveEditor } from '../suggestions/activeEditor';
import { isLanguageEnabled, type Enablement } from '../suggestions/enablement';
import { describeModel } from './modelPicker';
import type { Status } from './status';

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
}

/** Shows the menu, and runs the selected command. */
export async function showActionMenu(
  status: Status,
  enablement: Enablement,
  notFound: ServerNotFound | undefined,
  adaptation: string | undefined,
): Promise<void> {
  const entries = [...listRemedies(status, notFound), ...listActions(enablement, adaptation)];
  const choice = await vscode.window.showQuickPick(entries, {
    title: status.describe(),
    matchOnDescription: true,
  });
  if (choice?.command !== undefined) {
    await vscode.commands.executeCommand(choice.command);
  }
}

/** Lists what helps if there is no server. */
function listRemedies(status: Status, notFound: ServerNotFound | undefined): Entry[] {
  if (notFound === undefined || status.isInstalling) {
    return [];
  }
  return [
    ...(notFound.canInstall
      ? [createEntry('cloud-download', 'Install server…', 'installServer')]
      : []),
    createEntry('search', 'Set server path…', 'setServerPath'),
    createSeparator('Suggestions'),
  ];
}

function listActions(enablement: Enablement, adaptation: string | undefined): Entry[] {
  const extent = getText('suggestion.extent');
  const eagerness = getText('suggestion.eagerness');
  return [
    createEntry('question', 'Why is nothing shown?', 'whyNothing'),
    createEntry('sparkle', 'Trigger suggestion', 'ask', 'Alt+\\'),
    ...listSwitches(enablement),
    createSeparator('Length and eagerness'),
    createEntry('list-tree', 'Suggestion length…', 'chooseExtent', extent),
    createEntry('dashboard', 'Suggestion eagerness…', 'chooseEagerness', eagerness),
    createEntry('graph', 'Show statistics', 'showStatistics'),
    createSeparator('Model and server'),
    createEntry('arrow-swap', 'Switch model…', 'chooseModel', describeModel()),
    createEntry('mortar-board', 'Adapt model to this workspace…', 'adaptModel', adaptation),
    createEntry('list-selection', 'Manage adapted models…', 'manageModels'),
    createEntry('debug-restart', 'Restart server', 'restartServer'),
    createEntry('output', 'Show log', 'showLog'),
    createEntry('list-flat', 'Show protocol trace', 'showTrace'),
    createEntry('gear', 'Open settings', 'openSettings'),
    createEntry('book', 'Open walkthrough', 'openWalkthrough'),
  ];
}

function listSwitches(enablement: Enablement): Entry[] {
  const document = getActiveEditor()?.document;
  const reason = enablement.getDisabledReason(document);
  const turn = getFlag('enabled', document) ? 'Turn off' : 'Turn on';
  const entries = [
    createSeparator(reason === undefined ? 'Turn off or snooze' : `Suggestions are ${reason}`),
    enablement.isSnoozed
      ? createEntry('bell', 'Cancel snooze', 'wake')
      : createEntry('bell-slash', 'Snooze…', 'snooze'),
    getFlag('automatic', document)
      ? createEntry('eye-closed', 'Suggest only on request', 'toggleAutomatic')
      : createEntry('eye', 'Suggest while typing', 'toggleAutomatic'),
    createEntry('circle-slash', `${turn} everywhere`, 'toggle'),
  ];
  if (vscode.workspace.workspaceFolders !== undefined) {
    entries.push(createEntry('folder', `${turn} for this workspace`, 'toggleWorkspace'));
  }
  if (document !== undefined) {
    const { languageId } = document;
    const turnLanguage = isLanguageEnabled(document) ? 'Turn off' : 'Turn on';
    const language = `${turnLanguage} for the language ${languageId}`;
    const turnFile = enablement.isFileExcluded(document) ? 'Turn on' : 'Turn off';
    entries.push(
      createEntry('symbol-misc', language, 'toggleLanguage'),
      createEntry('file', `${turnFile} for this file`, 'toggleFile'),
    );
  }
  return entries;
}

function createEntry(icon: string, label: string, command: string, description?: string): Entry {
  return {
    label: `$(${icon}) ${label}`,
    command: `parrotlet.${command}`,
    ...(description !== undefined && { description }),
  };
}

function createSeparator(label: string): Entry {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}
