/**
 * The editor that a person is writing in. VS Code's active editor is none while a page or a panel
 * has the focus, and may be an output.
 */

import * as vscode from 'vscode';

/** Where documents come from that a person writes in: not, say, old versions in a comparison. */
export const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell', 'vscode-vfs'];

let last: vscode.TextEditor | undefined;

/** Says whether a document is one that a person writes in. */
export function isWritten(document: vscode.TextDocument): boolean {
  return SCHEMES.includes(document.uri.scheme);
}

/** Begins to follow the user from editor to editor. */
export function followEditors(): vscode.Disposable {
  note(vscode.window.activeTextEditor);
  return vscode.window.onDidChangeActiveTextEditor(note);
}

/** Returns the editor that the user is in, or was in last, if it is still to be seen. */
export function currentEditor(): vscode.TextEditor | undefined {
  return vscode.window.visibleTextEditors.find((editor) => editor === last);
}

/** Puts the cursor back into that editor. */
export async function focusEditor(): Promise<void> {
  const editor = currentEditor();
  if (editor !== undefined && editor !== vscode.window.activeTextEditor) {
    await vscode.window.showTextDocument(editor.document, editor.viewColumn);
  }
}

function note(editor: vscode.TextEditor | undefined): void {
  if (editor !== undefined && isWritten(editor.document)) {
    last = editor;
  }
}
