/** Pages beside the editor, for explanations and statistics. They run no scripts. */

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

/** What a document that we did not write here may load: its own styles and pictures. */
const FILE_POLICY = `<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`;

/** A button: its label, and the command of the extension that it runs. */
export type Button = readonly [label: string, command: string];

/** A row of a table. */
export type Row = readonly [label: string, value: unknown];

/** The contents of a page. */
export interface Page {
  readonly title: string;
  /** HTML, in which all text has been escaped by `escapeHtml`. */
  readonly body: string;
  readonly buttons: readonly Button[];
}

/** The open pages, one of each kind. */
export class WebviewPages implements vscode.Disposable {
  private readonly panels = new Map<string, vscode.WebviewPanel>();

  /** Opens a page, or brings it to the front. */
  show(kind: string, page: Page): void {
    const panel = this.panels.get(kind) ?? this.open(kind, page.title);
    this.refresh(kind, page);
    panel.reveal(undefined, true);
  }

  /** Opens a page that is a whole HTML document, such as a report that a command wrote. */
  showFile(kind: string, title: string, html: string): void {
    const panel = this.panels.get(kind) ?? this.open(kind, title);
    panel.title = title;
    panel.webview.html = html.replace(/<html[^>]*>/i, (tag) => `${tag}${FILE_POLICY}`);
    panel.reveal(undefined, true);
  }

  /** Whether a page of this kind is open. */
  isOpen(kind: string): boolean {
    return this.panels.has(kind);
  }

  /** Updates a page where it is, if it is open. */
  refresh(kind: string, page: Page): void {
    const panel = this.panels.get(kind);
    if (panel !== undefined) {
      panel.webview.options = { enableCommandUris: page.buttons.map(([, command]) => command) };
      panel.webview.html = renderDocument(page);
    }
  }

  dispose(): void {
    for (const panel of this.panels.values()) {
      panel.dispose();
    }
  }

  private open(kind: string, title: string): vscode.WebviewPanel {
    const showOptions = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const panel = vscode.window.createWebviewPanel(`parrotlet.${kind}`, title, showOptions);
    this.panels.set(kind, panel);
    panel.onDidDispose(() => this.panels.delete(kind));
    return panel;
  }
}

/** Escapes a text for HTML. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Renders a table. Rows without a value are omitted. */
export function renderTable(rows: readonly Row[]): string {
  const html = rows
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([label, value]) => [label, String(value)].map(escapeHtml))
    .map(([label, value]) => `<tr><td>${label}</td><td>${value}</td></tr>`);
  return html.length > 0 ? `<table>${html.join('')}</table>` : '';
}

function renderDocument({ title, body, buttons }: Page): string {
  const nonce = randomBytes(16).toString('hex');
  const links = buttons.map(([label, command]) => (
    `<a class="button" role="button" href="command:${command}">${escapeHtml(label)}</a>`
  ));
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'nonce-${nonce}'">
<title>${escapeHtml(title)}</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
${body}
<p>${links.join('')}</p>
</body>
</html>`;
}
