/**
 * Adapting the model to the workspace: how it is going in the status bar, and commands about it.
 * A process of its own does the work and continues when the window is closed; the server follows it
 * and provides all texts.
 */

import * as vscode from 'vscode';
import type { AdaptationReport } from '../server/messages';
import { SECTION } from '../settings/settingNames';
import { getActiveEditor } from '../suggestions/activeEditor';
import type { ServerMenu } from './serverMenu';

const ICONS: Readonly<Record<string, string>> = {
  running: '$(sync~spin)',
  paused: '$(debug-pause)',
  interrupted: '$(warning)',
};

/** The status bar item, and the commands. */
export class Adaptation implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'parrotlet.adaptation', vscode.StatusBarAlignment.Right, 99,
  );
  /** Adaptations that have not ended, by name; of the workspace's folders, there may be several. */
  private readonly open = new Map<string, AdaptationReport>();

  constructor(private readonly menu: ServerMenu) {
    this.item.name = 'Parrotlet: Adaptation';
    this.item.command = `${SECTION}.adaptModel`;
  }

  /** Shows how an adaptation is going. */
  onReport(report: AdaptationReport): void {
    if (report.status) {
      this.open.set(report.name, report);
    } else {
      this.open.delete(report.name);
    }
    this.render();
    for (const { message, is_problem: isProblem, actions } of report.notices) {
      void this.menu.notify(message, isProblem, actions);
    }
  }

  /** Shows nothing any more: there is no server that would know. */
  clear(): void {
    this.open.clear();
    this.render();
  }

  /** Shows what can be done: start an adaptation, or pause, resume or cancel it. */
  async showMenu(): Promise<void> {
    await this.runForFolder(`${SECTION}.adaptation`);
  }

  /** Opens the report on what the last adaptation brought. */
  async showReport(): Promise<void> {
    await this.runForFolder(`${SECTION}.adaptationReport`);
  }

  /** Lists all adapted models, to choose between them and their base, and to remove them. */
  async manageModels(): Promise<void> {
    await this.menu.run(`${SECTION}.adaptedModels`);
  }

  /** Runs one of the actions that the server offers about the adaptation in progress. */
  async choose(name: 'pause' | 'resume' | 'cancel'): Promise<void> {
    const command = `${SECTION}.${name}Adaptation`;
    const actions = [...this.open.values()].flatMap((report) => report.actions);
    const action = actions.find((one) => one.command === command);
    await (action === undefined ? this.showMenu() : this.menu.choose(action));
  }

  /** Describes the adaptation in progress in a few words; undefined if there is none. */
  describe(): string | undefined {
    return this.getCurrent()?.status;
  }

  dispose(): void {
    this.item.dispose();
  }

  private getCurrent(): AdaptationReport | undefined {
    const reports = [...this.open.values()];
    return reports.find(({ state }) => state === 'running') ?? reports[0];
  }

  private render(): void {
    const current = this.getCurrent();
    const state = current?.state;
    setContext('isAdapting', state === 'running');
    setContext('isAdaptationWaiting', state === 'paused' || state === 'interrupted');
    if (current === undefined) {
      this.item.hide();
      return;
    }
    this.item.text = `${ICONS[current.state] ?? ''} ${current.status}`;
    this.item.accessibilityInformation = { label: current.status, role: 'button' };
    const tooltip = new vscode.MarkdownString();
    tooltip.appendText(current.title).appendMarkdown('\n\nClick to pause, resume, or cancel');
    this.item.tooltip = tooltip;
    this.item.show();
  }

  private async runForFolder(command: string): Promise<void> {
    const folder = await chooseFolder();
    if (folder !== null) {
      await this.menu.run(command, folder === undefined ? {} : { uri: folder.uri.toString() });
    }
  }
}

/**
 * Returns the folder of the active file; asks if there are several and none is active, null if the
 * user cancels. Undefined if no folder is open.
 */
async function chooseFolder(): Promise<vscode.WorkspaceFolder | undefined | null> {
  const active = getActiveEditor()?.document.uri;
  const folders = vscode.workspace.workspaceFolders ?? [];
  const found = active && vscode.workspace.getWorkspaceFolder(active);
  if (found !== undefined || folders.length < 2) {
    return found ?? folders[0];
  }
  return await vscode.window.showWorkspaceFolderPick() ?? null;
}

function setContext(name: string, value: boolean): void {
  void vscode.commands.executeCommand('setContext', `${SECTION}.${name}`, value);
}
