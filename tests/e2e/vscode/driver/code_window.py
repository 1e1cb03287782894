"""A window of VS Code: what a user types and sees, and VS Code's API."""

import contextlib
import json
import time
import urllib.parse
import urllib.request

import psutil
from code_server import DEADLINE_S, QUIET, wait_until
from page_scripts import (
    GHOST,
    HAS_TEXT,
    IDLE,
    IS_FOCUSED,
    IS_IN_CELL,
    N_EDITORS_WITH_GHOST,
    OPEN_NOTEBOOK,
    RECORD_GHOSTS,
    RECORD_STATUSES,
    RESET,
    SHOW,
    STOP_RECORDING_GHOSTS,
    STOP_RECORDING_STATUSES,
)
from playwright.sync_api import Error

SETTLED_MS = 400
N_ASKED, ASKED_S = 10, 5.0  # how often to ask for a suggestion, and how long to wait for each
RESTARTING = {"parrotlet.client.server"}


class Window:
    """A window with a folder, or with the folders of a ``.code-workspace`` file."""

    def __init__(self, code_server, page, folder):
        self.page, self.folder, self.home = page, folder, code_server.home
        page.set_default_timeout(1000 * DEADLINE_S)
        known = code_server.drivers
        kind = "workspace" if folder.suffix == ".code-workspace" else "folder"
        page.goto(f"{code_server.url}/?{kind}={urllib.parse.quote(str(folder))}")
        self._driver, self._host = wait_until(
            lambda: code_server.new_driver(known), "the window's extensions"
        )

    @property
    def servers(self):
        """The processes of this window's servers."""
        found = []
        for child in psutil.Process(self._host).children():
            with contextlib.suppress(psutil.Error):
                if "--log-level" in child.cmdline():
                    found.append(child.pid)
        return found

    @property
    def server_pid(self):
        return next(iter(self.servers), None)

    def wait_for_page(self, title):
        """Returns the text of one of the extension's pages, once it is shown."""

        def text():
            for frame in self.page.frames:
                with contextlib.suppress(Error):  # the frame is being replaced
                    if frame.locator("h1", has_text=title).count():
                        return frame.locator("body").inner_text()
            return None

        return wait_until(text, f"the page {title}")

    def click_on_page(self, button):
        """Clicks a button of one of the extension's pages."""

        def click():
            for frame in self.page.frames:
                with contextlib.suppress(Error):
                    links = frame.locator("a.button", has_text=button)
                    if links.count():
                        links.first.click(timeout=1000)
                        return True
            return False

        wait_until(click, f"the button {button}")

    def call_api(self, body, **given):
        """Runs the body of an async JavaScript function, which can use ``vscode`` and ``given``."""
        data = json.dumps({"body": body, "given": given}).encode()
        with urllib.request.urlopen(self._driver, data, timeout=DEADLINE_S) as answer:
            response = json.load(answer)
        assert "error" not in response, response["error"]
        return response["answer"]

    def run_command(self, command, *arguments):
        """Runs a command and waits for its end."""
        body = "return await vscode.commands.executeCommand(given.command, ...given.arguments)"
        return self.call_api(body + " && null", command=command, arguments=arguments)

    def start_command(self, command):
        """Starts a command that waits for the user."""
        body = "void vscode.commands.executeCommand(given.command)"
        self.call_api(body, command=command)

    def change_setting(self, name, value, where="Global"):
        """Changes a setting; None removes it."""
        self.call_api(
            "await vscode.workspace.getConfiguration().update(given.name, given.value ?? undefined,"
            " vscode.ConfigurationTarget[given.where])",
            name=name,
            value=value,
            where=where,
        )
        if not name.startswith("parrotlet.client."):
            self.wait_for_settings()

    def wait_for_settings(self):
        """Waits until settings that were changed are sent to the server, which is delayed."""
        self.page.wait_for_timeout(SETTLED_MS)

    def change_server(self, command):
        """Changes the server's command, and waits for the new server."""
        before = self.server_pid
        self.change_setting("parrotlet.client.server", command)
        wait_until(lambda: self.server_pid not in {None, before}, "another server")
        self.wait_until_ready()

    def open_file(self, text, name):
        """Writes a file and opens it with the cursor at ``|``, or at its end.

        If a test before had a file of this name, VS Code may still have its text for a moment.
        """
        path = self.folder / name
        before, _, behind = text.partition("|")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before + behind, encoding="utf-8", newline="")
        found = {"path": str(path), "text": before + behind}
        wait_until(lambda: self.call_api(HAS_TEXT, **found), f"the text of {name} in VS Code")
        self.show_file(path, len(before.encode("utf-16-le")) // 2)
        return path

    def show_file(self, path, offset, column=1):
        """Shows a file in an editor column, which then has the focus."""
        place = self.call_api(SHOW, path=str(path), offset=offset, column=column)
        shown = self.page.locator("#status\\.editor\\.selection")
        wait_until(lambda: place in (shown.text_content() or ""), f"the cursor at {place}")
        self.wait_for_focus(path.name)

    def wait_for_focus(self, name):
        """Waits until the editor of a document has the focus and is complete."""
        self.page.wait_for_function(IS_FOCUSED, arg=name)
        self.page.evaluate(IDLE)

    def open_notebook(self, cells):
        """Opens a notebook with Python cells, and starts editing the last one."""
        self.call_api(OPEN_NOTEBOOK, cells=cells)
        self.page.wait_for_function(IS_IN_CELL)
        self.page.evaluate(IDLE)

    @property
    def cells(self):
        """The texts of the active notebook's cells."""
        return self.call_api(
            "return vscode.window.activeNotebookEditor.notebook.getCells()"
            ".map((cell) => cell.document.getText())"
        )

    def reset(self, settings):
        """Closes everything, and leaves only these settings of Parrotlet."""
        self.page.keyboard.press("Escape")
        server = self.server_pid
        changed = set(self.call_api(RESET, settings=QUIET | settings))
        if changed & RESTARTING:
            wait_until(lambda: self.server_pid not in {None, server}, "another server")
        if changed:
            self.page.wait_for_timeout(SETTLED_MS)
        self.wait_until_ready()
        self.wait_for_no_ghost()

    def type(self, text):
        self.page.keyboard.type(text)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def text(self):
        return self.call_api("return vscode.window.activeTextEditor.document.getText()")

    def wait_for_text(self, text):
        """Waits until the document has this text."""
        wait_until(lambda: self.text == text, lambda: f"the text {text!r}, not {self.text!r}")

    @property
    def cursor(self):
        """The cursor's line and column, from 0, in UTF-16 units."""
        body = "const { active } = vscode.window.activeTextEditor.selection;"
        return tuple(self.call_api(body + "return [active.line, active.character]"))

    @property
    def ghost(self):
        """The ghost text that is drawn now."""
        return self.page.evaluate(GHOST)

    @property
    def n_editors_with_ghost(self):
        """How many editors show ghost text."""
        return self.page.evaluate(N_EDITORS_WITH_GHOST)

    def wait_for_ghost(self, ghost):
        """Waits for ghost text."""
        wait_until(
            lambda: self.ghost == ghost, lambda: f"{ghost!r} as ghost text, not {self.description}"
        )
        self.page.evaluate(IDLE)  # keybindings' conditions are updated a moment later

    def ask_for_ghost(self, ghost):
        """Asks for ghost text, as often as needed until it is shown."""
        for _ in range(N_ASKED):
            self.run_command("editor.action.inlineSuggest.trigger")
            with contextlib.suppress(AssertionError):
                return wait_until(lambda: self.ghost == ghost, "", deadline_s=ASKED_S)
        return self.wait_for_ghost(ghost)

    @property
    def description(self):
        """The ghost text, the document, the status, and the server's last request."""
        explained = "return await vscode.commands.executeCommand('parrotlet.explain')"
        return f"{self.ghost!r} in {self.text[-200:]!r}; {self.status}; {self.call_api(explained)}"

    def wait_for_no_ghost(self, *, for_s=0.0):
        """Waits until there is no ghost text, and checks that none appears for a while."""
        wait_until(lambda: not self.ghost, lambda: f"no ghost text, not {self.ghost!r}")
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            assert not self.ghost
            time.sleep(0.02)

    def record_ghosts(self):
        """Starts recording ghost text, frame by frame."""
        self.page.evaluate(RECORD_GHOSTS, GHOST)

    def stop_recording_ghosts(self):
        """Stops recording, and returns each ghost text that was drawn, in order."""
        return self.page.evaluate(STOP_RECORDING_GHOSTS)

    @property
    def status(self):
        """The status bar item's text for screen readers."""
        return self.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status a").get_attribute(
            "aria-label"
        )

    def pick(self, label):
        """Selects an entry of the open quick pick."""
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=label).first
        row.wait_for()
        row.click()

    def fill_input(self, text, *, title):
        """Fills in the input box with a title, once it is open."""
        self.page.locator(".quick-input-title", has_text=title).wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        box.fill(text)
        box.press("Enter")

    def choose_folder(self, path, button):
        """Selects a folder in the dialog, which shows its contents once it has been entered."""
        mark = path / "here-it-is"
        mark.mkdir()
        action = self.page.locator(".quick-input-action", has_text=button)
        action.wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=mark.name)

        def is_there():
            if box.input_value() != f"{path}/":
                box.fill(f"{path}/")  # again, if the dialog has replaced it
            return row.count()

        wait_until(is_there, f"the content of {path}")
        action.locator("a, .monaco-button").first.click()
        action.wait_for(state="hidden")

    def choose_file(self, path, button):
        """Selects a file in the dialog."""
        action = self.page.locator(".quick-input-action", has_text=button)
        action.wait_for()
        box = self.page.locator(".quick-input-widget input.input")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=path.name)

        def is_there():
            if box.input_value() != str(path):
                box.fill(str(path))  # again, if the dialog has replaced it
            return row.count()

        wait_until(is_there, f"the file {path}")
        action.locator("a, .monaco-button").first.click()
        action.wait_for(state="hidden")

    def answer_dialog(self, button):
        """Clicks a button of the modal dialog, or closes it if None; returns its text."""
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
        """The entries of the open quick pick."""
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        rows.first.wait_for()
        return rows.all_inner_texts()

    def wait_for_notification(self, words):
        """Waits for a notification that contains a text, and returns it."""
        notice = self.page.locator(".notification-list-item", has_text=words).first
        notice.wait_for()
        return notice

    def wait_for_status(self, *texts):
        """Waits until the status bar has one of these texts."""
        wait_until(
            lambda: self.status in texts, lambda: f"{texts} in the status bar, not {self.status}"
        )

    def wait_until_ready(self):
        """Waits until the server is ready and idle."""
        self.wait_for_status("Parrotlet is ready")

    @property
    def log(self):
        """The text of the extension's log, which this opens."""
        self.run_command("parrotlet.showLog")
        text = (
            "return vscode.workspace.textDocuments.filter((one) => one.uri.scheme === 'output')"
            ".map((one) => one.getText()).join('')"
        )
        return wait_until(lambda: self.call_api(text), "the log")

    def record_statuses(self):
        """Starts recording the status bar."""
        self.page.evaluate(RECORD_STATUSES)

    def stop_recording_statuses(self):
        """Stops recording, and returns each text of the status bar."""
        return self.page.evaluate(STOP_RECORDING_STATUSES)

    @property
    def notifications(self):
        """The texts of the open notifications."""
        return self.page.locator(".notification-list-item-message").all_text_contents()
