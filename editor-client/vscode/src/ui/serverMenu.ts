/**
 * Shows what the server answers to a command: a menu, a message, a page, or what went wrong. The
 * texts and what they do come from the server; here they only get VS Code's shape.
 */

import * as vscode from 'vscode';
import type { Lifecycle } from '../server/lifecycle';
import type { Action, Answer } from '../server/messages';
import type { WebviewPages } from './webview';

const INVALID_PARAMS = -32602; // the codes with which servers answer to an unknown command
const METHOD_NOT_FOUND = -32601;
const STOPPED = 'This is unavailable: the Parrotlet server is not running.';
const FAILED = 'The Parrotlet server could not do this. See the log, then try again.';
const OLD_SERVER = 'This needs a newer Parrotlet server. Install it to continue.';

/** Runs the server's commands and shows their answers. */
export class ServerMenu {
  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly pages: WebviewPages,
  ) {}

  /** Runs a command, and shows what it answers; starts the server if none was needed so far. */
  async run(command: string, argument: object = {}): Promise<void> {
    if (!this.lifecycle.isRequested) {
      await this.lifecycle.restart();
    }
    if (this.lifecycle.client?.isRunning !== true) {
      void vscode.window.showErrorMessage(STOPPED);
      return;
    }
    const answer = await this.request(command, argument);
    if (answer !== undefined) {
      await this.show(answer);
    }
  }

  /** Returns what a command answers, and shows nothing of it; undefined if it cannot be run. */
  async fetch(command: string, argument: object): Promise<Answer | undefined> {
    return this.lifecycle.client?.execute<Answer>(command, argument).catch(() => undefined);
  }

  /** Runs an action; asks first if that is to be confirmed. */
  async choose({ question, command, argument }: Action): Promise<void> {
    if (question !== null) {
      const { message, detail, button } = question;
      const options = { modal: true, detail };
      if (await vscode.window.showInformationMessage(message, options, button) !== button) {
        return;
      }
    }
    await this.run(command, argument);
  }

  /** Shows a message with a button for each action. */
  async notify(message: string, isProblem: boolean, actions: readonly Action[]): Promise<void> {
    const show = isProblem ? vscode.window.showErrorMessage : vscode.window.showInformationMessage;
    const title = await show(message, ...actions.map((action) => action.title));
    const chosen = actions.find((action) => action.title === title);
    if (chosen !== undefined) {
      await this.choose(chosen);
    }
  }

  /** Lets the user choose between actions; asks at once about a single one that needs it. */
  async showMenu(title: string, actions: readonly Action[]): Promise<void> {
    const [only] = actions;
    if (only !== undefined && actions.length === 1 && only.question !== null) {
      await this.choose(only);
      return;
    }
    const items = actions.map((action) => ({
      label: action.title, description: action.description, detail: action.detail, action,
    }));
    const choice = await vscode.window.showQuickPick(items, { title, matchOnDetail: true });
    if (choice !== undefined) {
      await this.choose(choice.action);
    }
  }

  private async request(command: string, argument: object): Promise<Answer | undefined> {
    try {
      return await this.lifecycle.client?.execute<Answer>(command, argument);
    } catch (error) {
      const [text, button, remedy] = isUnknownCommand(error)
        ? [OLD_SERVER, 'Install Server…', 'parrotlet.installServer'] as const
        : [FAILED, 'Show Log', 'parrotlet.showLog'] as const;
      if (await vscode.window.showErrorMessage(text, button) === button) {
        await vscode.commands.executeCommand(remedy);
      }
      return undefined;
    }
  }

  private async show({ error, message, title = '', actions = [], page }: Answer): Promise<void> {
    if (error !== undefined) {
      void vscode.window.showErrorMessage(error);
    } else if (page !== undefined) {
      const bytes = await vscode.workspace.fs.readFile(vscode.Uri.file(page));
      this.pages.showFile('report', `Parrotlet: ${title}`, Buffer.from(bytes).toString('utf8'));
    } else if (message) {
      void this.notify(message, false, actions);
    } else if (actions.length > 0) {
      await this.showMenu(title, actions);
    }
  }
}

/** Checks whether a server of an earlier version does not know a command, or has merely failed. */
function isUnknownCommand(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === INVALID_PARAMS || code === METHOD_NOT_FOUND;
}
