/** Pages to read, beside the editor: explanations and figures. They run no script. */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

const STYLE = `
  body { max-width: 46em; padding: 0 1.5em 2em; line-height: 1.5; }
  h1 { font-size: 1.5em; font-weight: 600; margin: 1em 0 0.2em; }
  h2 { font-size: 1.1em; font-weight: 600; margin: 1.6em 0 0.4em; }
  p.lead { font-size: 1.1em; margin: 0.2em 0 0.8em; }
  table { border-collapse: collapse; }
  td { padding: 0.15em 1.6em 0.15em 0; vertical-align: top; overflow-wrap: anywhere; }
  td:first-child { color: var(--vscode-descriptionForeground); white-space: nowrap; }
  ul { list-style: none; padding: 0; margin: 0; }
  li { margin: 0.25em 0; padding-left: 1.6em; text-indent: -1.6em; }
  .mark { display: inline-block; width: 1.6em; text-indent: 0; }
  .good { color: var(--vscode-testing-iconPassed); }
  .bad { color: var(--vscode-editorWarning-foreground); }
  a.button { display: inline-block; margin: 0.3em 0.6em 0.3em 0; padding: 0.3em 0.9em;
    border: 1px solid var(--vscode-button-border, var(--vscode-contrastBorder, transparent));
    border-radius: 4px; text-decoration: none;
    color: var(--vscode-button-foreground);
    background: var(--vscode-button-background); }
  a.button:hover { background: var(--vscode-button-hoverBackground); }
  a.button:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
`;

/** A button of a page: what it says, and one of the extension's commands. */
export type Button = readonly [label: string, command: string];

/** The pages that are open, one of each kind. */
export class Pages implements vscode.Disposable {
  private readonly panels = new Map<string, vscode.WebviewPanel>();

  /**
   * Opens a page and brings it to the front.
   *
   * @param body HTML, in which texts have gone through `escaped`
   */
  show(kind: string, title: string, body: string, buttons: readonly Button[]): void {
    const panel = this.panels.get(kind) ?? this.open(kind, title);
    this.draw(kind, title, body, buttons);
    panel.reveal(undefined, true);
  }

  /** Says whether a page of this kind is open. */
  isOpen(kind: string): boolean {
    return this.panels.has(kind);
  }

  /** Draws a page again, wherever it is; nothing if it is not open. */
  draw(kind: string, title: string, body: string, buttons: readonly Button[]): void {
    const panel = this.panels.get(kind);
    if (panel !== undefined) {
      panel.webview.options = { enableCommandUris: buttons.map(([, command]) => command) };
      panel.webview.html = whole(title, body, buttons);
    }
  }

  dispose(): void {
    for (const panel of this.panels.values()) {
      panel.dispose();
    }
  }

  private open(kind: string, title: string): vscode.WebviewPanel {
    const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const panel = vscode.window.createWebviewPanel(`parrotlet.${kind}`, title, where);
    this.panels.set(kind, panel);
    panel.onDidDispose(() => this.panels.delete(kind));
    return panel;
  }
}

/** Makes a text safe to stand in HTML. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A line of a table. Without a value it is left out. */
export type Row = readonly [name: string, value: unknown];

/** Returns names and values as a table. */
export function table(rows: readonly Row[]): string {
  const cells = rows
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([name, value]) => `<tr><td>${escaped(name)}</td><td>${escaped(String(value))}</td></tr>`);
  return `<table>${cells.join('')}</table>`;
}

function whole(title: string, body: string, buttons: readonly Button[]): string {
  const nonce = randomBytes(16).toString('hex');
  const links = buttons.map(([label, command]) => (
    `<a class="button" role="button" href="command:${command}">${escaped(label)}</a>`
  ));
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'nonce-${nonce}'">
<title>${escaped(title)}</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
${body}
<p>${links.join('')}</p>
</body>
</html>`;
}
