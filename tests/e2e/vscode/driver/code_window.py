"""A window of VS Code: what a user types and sees in it, and VS Code's API for the rest."""

import contextlib
import json
import time
import urllib.parse
import urllib.request

import psutil
from code_server import DEADLINE_S, QUIET, until
from page_scripts import (
    GHOST,
    IDLE,
    IS_FOCUSED,
    IS_IN_CELL,
    N_EDITORS_WITH_GHOST,
    OPEN_NOTEBOOK,
    RESET,
    SHOW,
    WATCH_GHOSTS,
    WATCH_STATUSES,
    WATCHED_GHOSTS,
    WATCHED_STATUSES,
)
from playwright.sync_api import Error

SETTLED_MS = 400
RESTARTING = {"parrotlet.client.server"}


class Window:
    """One window on a folder."""

    def __init__(self, code_server, page, folder):
        self.page, self.folder, self.home = page, folder, code_server.home
        page.set_default_timeout(1000 * DEADLINE_S)
        known = code_server.drivers
        page.goto(f"{code_server.url}/?folder={urllib.parse.quote(str(folder))}")
        self._driver, self._host = until(
            lambda: code_server.new_driver(known), "the window's extensions"
        )

    @property
    def servers(self):
        """The processes of Parrotlet's servers for this window."""
        found = []
        for child in psutil.Process(self._host).children():
            with contextlib.suppress(psutil.Error):
                if "--log-level" in child.cmdline():
                    found.append(child.pid)
        return found

    @property
    def server_pid(self):
        return next(iter(self.servers), None)

    def page_says(self, title):
        """Returns the text of one of the extension's own pages, once it is there."""

        def text():
            for frame in self.page.frames:
                with contextlib.suppress(Error):  # it is being replaced
                    if frame.locator("h1", has_text=title).count():
                        return frame.locator("body").inner_text()
            return None

        return until(text, f"the page {title}")

    def clicks_on_page(self, button):
        """Clicks a button of the extension's own page."""

        def click():
            for frame in self.page.frames:
                with contextlib.suppress(Error):
                    links = frame.locator("a.button", has_text=button)
                    if links.count():
                        links.first.click(timeout=1000)
                        return True
            return False

        until(click, f"the button {button}")

    def api(self, body, **given):
        """Runs the body of an async JavaScript function with ``vscode`` and ``given``."""
        data = json.dumps({"body": body, "given": given}).encode()
        with urllib.request.urlopen(self._driver, data, timeout=DEADLINE_S) as answer:
            told = json.load(answer)
        assert "error" not in told, told["error"]
        return told["answer"]

    def run(self, command, *arguments):
        """Runs a command of VS Code's, as its palette does."""
        body = "return await vscode.commands.executeCommand(given.command, ...given.arguments)"
        return self.api(body + " && null", command=command, arguments=arguments)

    def start(self, command):
        """Runs a command that waits for the user, and does not wait for it."""
        body = "void vscode.commands.executeCommand(given.command)"
        self.api(body, command=command)

    def set(self, name, value, where="Global"):
        """Changes a setting of the user's; None takes it back."""
        self.api(
            "await vscode.workspace.getConfiguration().update(given.name, given.value ?? undefined,"
            " vscode.ConfigurationTarget[given.where])",
            name=name,
            value=value,
            where=where,
        )
        if not name.startswith("parrotlet.client."):
            self.page.wait_for_timeout(SETTLED_MS)  # the server's: told when they stand still

    def set_server(self, command):
        """Has the server started by another command, and waits for it."""
        before = self.server_pid
        self.set("parrotlet.client.server", command)
        until(lambda: self.server_pid not in {None, before}, "another server")
        self.is_ready()

    def open(self, text, name):
        """Writes a file and opens it; the cursor is where ``|`` stands in it, or at its end."""
        path = self.folder / name
        before, _, behind = text.partition("|")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before + behind, encoding="utf-8", newline="")
        self.show(path, len(before.encode("utf-16-le")) // 2)
        return path

    def show(self, path, offset, column=1):
        """Shows a file in one of the columns; keys go there when this returns."""
        place = self.api(SHOW, path=str(path), offset=offset, column=column)
        shown = self.page.locator("#status\\.editor\\.selection")
        until(lambda: place in (shown.text_content() or ""), f"the cursor at {place}")
        self.waits_for_focus(path.name)

    def waits_for_focus(self, name):
        """Waits until keys go to the editor of a document, and VS Code has made all of it."""
        self.page.wait_for_function(IS_FOCUSED, arg=name)
        self.page.evaluate(IDLE)

    def open_notebook(self, cells):
        """Opens a notebook of Python cells, and begins to edit the last."""
        self.api(OPEN_NOTEBOOK, cells=cells)
        self.page.wait_for_function(IS_IN_CELL)
        self.page.evaluate(IDLE)

    @property
    def cells(self):
        """The texts of the active notebook's cells."""
        return self.api(
            "return vscode.window.activeNotebookEditor.notebook.getCells()"
            ".map((cell) => cell.document.getText())"
        )

    def reset(self, settings):
        """Closes what is open, and leaves these settings of Parrotlet's and no others."""
        self.page.keyboard.press("Escape")
        server = self.server_pid
        changed = set(self.api(RESET, settings=QUIET | settings))
        if changed & RESTARTING:
            until(lambda: self.server_pid not in {None, server}, "another server")
        if changed:
            self.page.wait_for_timeout(SETTLED_MS)
        self.is_ready()
        self.sees_no_ghost()

    def type(self, text):
        self.page.keyboard.type(text)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def text(self):
        return self.api("return vscode.window.activeTextEditor.document.getText()")

    def holds(self, text):
        """Waits until the document is this text: the extensions' copy follows what is painted."""
        until(lambda: self.text == text, lambda: f"the text {text!r}, not {self.text!r}")

    @property
    def cursor(self):
        """Line and column of the cursor, from 0, in UTF-16 units."""
        body = "const { active } = vscode.window.activeTextEditor.selection;"
        return tuple(self.api(body + "return [active.line, active.character]"))

    @property
    def ghost(self):
        """What is painted as ghost text now."""
        return self.page.evaluate(GHOST)

    @property
    def n_editors_with_ghost(self):
        """How many editors paint ghost text."""
        return self.page.evaluate(N_EDITORS_WITH_GHOST)

    def sees(self, ghost):
        """Waits for ghost text."""
        until(lambda: self.ghost == ghost, lambda: f"{ghost!r} as ghost text, not {self.told}")
        self.page.evaluate(IDLE)  # keys learn a moment later that the cursor stands before it

    @property
    def told(self):
        """What is painted, and what the server says of its last request."""
        explained = "return await vscode.commands.executeCommand('parrotlet.explain')"
        return f"{self.ghost!r} in {self.text[-200:]!r}; {self.status}; {self.api(explained)}"

    def sees_no_ghost(self, *, for_s=0.0):
        """Waits until there is no ghost text, and sees to it that none comes for a while."""
        until(lambda: not self.ghost, lambda: f"no ghost text, not {self.ghost!r}")
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            assert not self.ghost
            time.sleep(0.02)

    def watch_ghosts(self):
        """Begins to take down what is painted, frame by frame."""
        self.page.evaluate(WATCH_GHOSTS, GHOST)

    def watched_ghosts(self):
        """Returns each ghost text that was painted, in order, and stops watching."""
        return self.page.evaluate(WATCHED_GHOSTS)

    @property
    def status(self):
        """What the status bar tells those who cannot see its icon."""
        return self.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status a").get_attribute(
            "aria-label"
        )

    def picks(self, label):
        """Takes a line of the quick pick that is open."""
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=label).first
        row.wait_for()
        row.click()

    def answers(self, text, *, title):
        """Answers the input box with this title, once it is the one that is open."""
        self.page.locator(".quick-input-title", has_text=title).wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        box.fill(text)
        box.press("Enter")

    def chooses_folder(self, path, button):
        """Answers the dialog for folders; it shows that it has got there by a folder within."""
        mark = path / "here-it-is"
        mark.mkdir()
        action = self.page.locator(".quick-input-action", has_text=button)
        action.wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=mark.name)

        def is_there():
            if box.input_value() != f"{path}/":
                box.fill(f"{path}/")  # again, if the dialog has put its own there meanwhile
            return row.count()

        until(is_there, f"the content of {path}")
        action.locator("a, .monaco-button").first.click()
        action.wait_for(state="hidden")

    def chooses_file(self, path, button):
        """Answers the dialog for files."""
        action = self.page.locator(".quick-input-action", has_text=button)
        action.wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=path.name)

        def is_there():
            if box.input_value() != str(path):
                box.fill(str(path))  # again, if the dialog has put its own there meanwhile
            return row.count()

        until(is_there, f"the file {path}")
        action.locator("a, .monaco-button").first.click()
        action.wait_for(state="hidden")

    def confirms(self, button):
        """Answers the modal dialog and returns what it says; None leaves it without an answer."""
        dialog = self.page.locator(".monaco-dialog-box")
        dialog.wait_for()
        text = dialog.inner_text()
        if button is None:
            self.press("Escape")
        else:
            dialog.locator(".monaco-button", has_text=button).first.click()
        dialog.wait_for(state="hidden")
        return text

    @property
    def choices(self):
        """The lines of the quick pick that is open."""
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        rows.first.wait_for()
        return rows.all_inner_texts()

    def says(self, words):
        """Waits for a notification with these words and returns it."""
        notice = self.page.locator(".notification-list-item", has_text=words).first
        notice.wait_for()
        return notice

    def is_status(self, *told):
        """Waits until the status bar tells one of these."""
        until(lambda: self.status in told, lambda: f"{told} in the status bar, not {self.status}")

    def is_ready(self):
        """Waits until the server is ready, with nothing in work."""
        self.is_status("Parrotlet is ready")

    @property
    def log(self):
        """What stands in the extension's log, which this shows."""
        self.run("parrotlet.showLog")
        text = (
            "return vscode.workspace.textDocuments.filter((one) => one.uri.scheme === 'output')"
            ".map((one) => one.getText()).join('')"
        )
        return until(lambda: self.api(text), "the log")

    def watch_statuses(self):
        """Begins to take down what stands in the status bar."""
        self.page.evaluate(WATCH_STATUSES)

    def watched_statuses(self):
        """Returns each text that stood in the status bar."""
        return self.page.evaluate(WATCHED_STATUSES)

    @property
    def notices(self):
        """The notifications that are shown."""
        return self.page.locator(".notification-list-item-message").all_text_contents()
