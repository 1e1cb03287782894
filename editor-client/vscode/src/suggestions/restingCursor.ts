/**
 * Tells the server where the cursor has come to rest, so that it can read what is there before the
 * first key. Where the cursor moves because of typing, VS Code requests a suggestion anyway.
 */

import * as vscode from 'vscode';
import type { Services } from '../services';
import { isEditable } from './activeEditor';

const METHOD = 'parrotlet/didMoveCursor';
/** Shorter than a hand takes from the mouse to the keys, longer than between two arrow keys. */
const REST_MS = 120;

/** Watches the cursors of all editors. */
export class RestingCursor implements vscode.Disposable {
  private readonly listeners: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;
  /** The document that was edited last, and its version then. */
  private lastEdit: { readonly uri: string; readonly version: number } | undefined;

  constructor(private readonly services: Services) {
    this.listeners = [
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        this.lastEdit = { uri: document.uri.toString(), version: document.version };
        clearTimeout(this.timer);
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        this.onMoved(textEditor);
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        this.onMoved(editor);
      }),
    ];
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const listener of this.listeners) {
      listener.dispose();
    }
  }

  private onMoved(editor: vscode.TextEditor | undefined): void {
    clearTimeout(this.timer);
    if (editor !== undefined && isEditable(editor.document)) {
      this.timer = setTimeout(() => {
        this.report(editor);
      }, REST_MS);
    }
  }

  private report({ document, selection }: vscode.TextEditor): void {
    const uri = document.uri.toString();
    const edit = this.lastEdit;
    this.lastEdit = undefined;
    const isTyped = edit?.uri === uri && edit.version === document.version;
    if (isTyped || !selection.isEmpty
      || this.services.enablement.getDisabledReason(document) !== undefined) {
      return;
    }
    const { line, character } = selection.active;
    const params = { textDocument: { uri }, position: { line, character } };
    this.services.lifecycle.client?.notify(METHOD, params);
  }
}
