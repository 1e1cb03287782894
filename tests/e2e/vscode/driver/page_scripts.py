"""JavaScript for ``code_window``, run in the page or with VS Code's API."""

# Returns the drawn ghost text: after the cursor, and in lines below it.
GHOST = """() => {
  const editor = document.activeElement?.closest('.monaco-editor')
    ?? document.querySelector('.editor-group-container.active .monaco-editor');
  if (!editor) { return ''; }
  const plain = (text) => text.replaceAll('\\u00a0', ' ').replaceAll('\\u200c', '');
  const inline = [...editor.querySelectorAll(
    '.ghost-text-decoration, .ghost-text-decoration-preview')]
    .sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left)
    .map((node) => plain(node.textContent));
  const below = [...editor.querySelectorAll('.suggest-preview-text .view-line')]
    .map((node) => plain(node.textContent));
  return [inline.join(''), ...below].join('\\n');
}"""

IS_FOCUSED = """(name) => {
  const active = document.activeElement?.closest('.editor-group-container.active .monaco-editor');
  return decodeURIComponent(active?.dataset.uri ?? '').split(/[:/]/).at(-1) === name;
}"""

RESET = """
  const run = (command) => vscode.commands.executeCommand(command);
  const isAnyOpen = () => vscode.window.tabGroups.all.some((group) => group.tabs.length > 0);
  while (isAnyOpen()) {
    await run('workbench.action.revertAndCloseActiveEditor'); // without confirmation
  }
  await run('workbench.action.editorLayoutSingle');
  await run('workbench.action.closePanel');
  await run('notifications.clearAll');
  await run('parrotlet.wake');
  const { packageJSON } = vscode.extensions.getExtension('parrotlet.parrotlet');
  const pages = packageJSON.contributes.configuration.map((page) => page.properties);
  const { Global, Workspace } = vscode.ConfigurationTarget;
  const changed = [];
  const names = new Set([given.settings, ...pages].flatMap((some) => Object.keys(some)));
  names.add('[python]');
  for (const name of names) {
    const configuration = vscode.workspace.getConfiguration();
    const { globalValue, workspaceValue } = configuration.inspect(name);
    const wanted = given.settings[name];
    if (workspaceValue !== undefined) {
      await configuration.update(name, undefined, Workspace);
      changed.push(name);
    }
    if (JSON.stringify(globalValue) !== JSON.stringify(wanted)) {
      await configuration.update(name, wanted, Global);
      changed.push(name);
    }
  }
  return changed;"""

# VS Code creates parts of a new editor, including ghost text, when it is idle.
IDLE = "() => new Promise((done) => requestIdleCallback(done))"

RECORD_GHOSTS = """(ghost) => {
  const now = eval(ghost);
  window.seenGhosts = [];
  const look = () => {
    const text = now();
    if (text !== window.seenGhosts.at(-1)) { window.seenGhosts.push(text); }
    window.ghostWatch = requestAnimationFrame(look);
  };
  look();
}"""
STOP_RECORDING_GHOSTS = """() => new Promise((done) => {
  const end = () => { cancelAnimationFrame(window.ghostWatch); done(window.seenGhosts); };
  requestAnimationFrame(() => requestAnimationFrame(end));
})"""

RECORD_STATUSES = """() => {
  const bar = document.querySelector('.part.statusbar');
  window.seenStatuses = new Set();
  window.statusWatch = new MutationObserver(() => window.seenStatuses.add(bar.textContent));
  window.statusWatch.observe(bar, { subtree: true, childList: true, characterData: true });
}"""
STOP_RECORDING_STATUSES = (
    "() => { window.statusWatch.disconnect(); return [...window.seenStatuses]; }"
)

# Opens a notebook and starts editing its last cell.
OPEN_NOTEBOOK = """
  const cells = given.cells.map((text) => new vscode.NotebookCellData(
    vscode.NotebookCellKind.Code, text, 'python'));
  const data = new vscode.NotebookData(cells);
  const notebook = await vscode.workspace.openNotebookDocument('jupyter-notebook', data);
  const last = new vscode.NotebookRange(cells.length - 1, cells.length);
  await vscode.window.showNotebookDocument(notebook, { selections: [last] });
  await vscode.commands.executeCommand('notebook.cell.edit');"""
IS_IN_CELL = "() => document.activeElement?.closest('.cell .monaco-editor') !== null"

HAS_TEXT = """
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(given.path));
  return document.getText() === given.text;"""

# Shows a file in a column with the cursor at an offset; returns its position in the status bar.
SHOW = """
  const uri = vscode.Uri.file(given.path);
  const document = await vscode.workspace.openTextDocument(uri);
  const place = document.positionAt(given.offset);
  await vscode.window.showTextDocument(document, {
    preview: false, viewColumn: given.column, selection: new vscode.Range(place, place),
  });
  return `Ln ${place.line + 1}, Col `;"""

N_EDITORS_WITH_GHOST = """() => [...document.querySelectorAll('.editor-instance')]
  .filter((one) => one.querySelector('.ghost-text-decoration')).length"""
