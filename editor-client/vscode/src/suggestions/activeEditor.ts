/**
 * The editor that the user is typing in. VS Code's own active editor is undefined while a page or a
 * panel has the focus, and may be an output channel.
 */

import * as vscode from 'vscode';

/** URI schemes of documents that people edit; not, for example, old versions in a diff. */
export const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell', 'vscode-vfs'];

let lastEditor: vscode.TextEditor | undefined;

/** Checks whether a document is one that people edit. */
export function isEditable(document: vscode.TextDocument): boolean {
  return SCHEMES.includes(document.uri.scheme);
}

/** Starts to track the user's editor. */
export function trackActiveEditor(): vscode.Disposable {
  recordEditor(vscode.window.activeTextEditor);
  return vscode.window.onDidChangeActiveTextEditor(recordEditor);
}

/** Returns the editor that the user is in, or was in last, if it is still visible. */
export function getActiveEditor(): vscode.TextEditor | undefined {
  return vscode.window.visibleTextEditors.find((editor) => editor === lastEditor);
}

/** Returns the focus to that editor. */
export async function focusActiveEditor(): Promise<void> {
  const editor = getActiveEditor();
  if (editor !== undefined && editor !== vscode.window.activeTextEditor) {
    await vscode.window.showTextDocument(editor.document, editor.viewColumn);
  }
}

function recordEditor(editor: vscode.TextEditor | undefined): void {
  if (editor !== undefined && isEditable(editor.document)) {
    lastEditor = editor;
  }
}
