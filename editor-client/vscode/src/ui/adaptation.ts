/**
 * Adapting the model to the workspace: how it is going in the status bar, and commands about it.
 * A process of its own does the work and continues when the window is closed; the server follows it
 * and provides all texts.
 */

import { realpathSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import * as vscode from 'vscode';
import type { Action, AdaptationReport } from '../server/messages';
import { SECTION } from '../settings/settingNames';
import { getActiveEditor } from '../suggestions/activeEditor';
import type { ServerMenu } from './serverMenu';

const MENU = `${SECTION}.adaptation`;
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

  /**
   * Shows what can be done: start an adaptation, or pause, resume or cancel it.
   *
   * @param name of an adaptation in progress; by default, that of the active file's folder counts
   */
  async showMenu(name?: string): Promise<void> {
    const report = name === undefined ? undefined : this.open.get(name);
    await (report === undefined
      ? this.runForFolder(MENU)
      : this.menu.showMenu(report.title, report.actions));
  }

  /** Opens the report on what the last adaptation brought. */
  async showReport(): Promise<void> {
    await this.runForFolder(`${SECTION}.adaptationReport`);
  }

  /** Lists all adapted models, to choose between them and their base, and to remove them. */
  async manageModels(): Promise<void> {
    await this.menu.run(`${SECTION}.adaptedModels`);
  }

  /**
   * Pauses, resumes or cancels the adaptation to the active file's folder. If that is not possible,
   * offers it for the others, by name.
   */
  async choose(name: 'pause' | 'resume' | 'cancel'): Promise<void> {
    const command = `${SECTION}.${name}Adaptation`;
    const isWanted = (action: Action): boolean => action.command === command;
    const action = this.findReport()?.actions.find(isWanted)
      ?? (await this.fetchActions()).find(isWanted);
    if (action !== undefined) {
      await this.menu.choose(action);
      return;
    }
    const others = [...this.open.values()].flatMap(({ actions }) => actions.filter(isWanted));
    await (others.length > 0 ? this.menu.showMenu('Other Folders', others) : this.showMenu());
  }

  /** Describes the adaptation to the active file's folder in a few words, if it is in progress. */
  describe(): string | undefined {
    return this.findReport()?.status;
  }

  dispose(): void {
    this.item.dispose();
  }

  private getCurrent(): AdaptationReport | undefined {
    const reports = [...this.open.values()];
    return reports.find(({ state }) => state === 'running') ?? reports[0];
  }

  /** Returns the report on the active file's folder; undefined if that is not in progress. */
  private findReport(): AdaptationReport | undefined {
    if ((vscode.workspace.workspaceFolders ?? []).length < 2) {
      return this.getCurrent(); // the server reports only on folders that are open
    }
    const path = getActiveFolder()?.uri.fsPath;
    const reports = [...this.open.values()].filter(({ folder }) => (
      path !== undefined && isWithin(path, folder)
    ));
    return reports.sort((a, b) => b.folder.length - a.folder.length)[0];
  }

  /** Returns what the server offers for the active file's folder, which it may know by a link. */
  private async fetchActions(): Promise<readonly Action[]> {
    const uri = getActiveFolder()?.uri.toString();
    const answer = uri === undefined ? undefined : await this.menu.fetch(MENU, { uri });
    return answer?.actions ?? [];
  }

  private render(): void {
    const current = this.getCurrent();
    const states = [...this.open.values()].map(({ state }) => state);
    setContext('isAdapting', states.includes('running'));
    setContext('isAdaptationWaiting', states.some((one) => one !== 'running'));
    if (current === undefined) {
      this.item.hide();
      return;
    }
    this.item.command = {
      command: `${SECTION}.adaptModel`, title: 'Show Adaptation', arguments: [current.name],
    };
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

/** Returns the folder of the active file, or the only one; undefined if there are several. */
function getActiveFolder(): vscode.WorkspaceFolder | undefined {
  const active = getActiveEditor()?.document.uri;
  const folders = vscode.workspace.workspaceFolders ?? [];
  const found = active && vscode.workspace.getWorkspaceFolder(active);
  return found ?? (folders.length < 2 ? folders[0] : undefined);
}

/**
 * Returns the folder of the active file; asks if there are several and none is active, null if the
 * user cancels. Undefined if no folder is open.
 */
async function chooseFolder(): Promise<vscode.WorkspaceFolder | undefined | null> {
  const folder = getActiveFolder();
  const { length: nFolders } = vscode.workspace.workspaceFolders ?? [];
  if (folder !== undefined || nFolders === 0) {
    return folder;
  }
  return await vscode.window.showWorkspaceFolderPick() ?? null;
}

/** Checks whether a path is a folder's or below it. */
function isWithin(path: string, folder: string): boolean {
  const relativePath = relative(resolveLinks(folder), resolveLinks(path));
  return relativePath === '' || !(/^\.\.([/\\]|$)/.test(relativePath) || isAbsolute(relativePath));
}

function resolveLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path; // it is gone
  }
}

function setContext(name: string, value: boolean): void {
  void vscode.commands.executeCommand('setContext', `${SECTION}.${name}`, value);
}
