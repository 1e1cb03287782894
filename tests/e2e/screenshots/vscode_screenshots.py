"""Takes screenshots of a real VS Code.

Run: ``python tests/e2e/screenshots/vscode_screenshots.py FOLDER``.

Opens VS Code with the extension, the real server and the bundled model, and shows ghost text (the
picture in the READMEs), the action menu, the page "Why is nothing shown?", and the walkthrough.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.append(str(Path(__file__).parents[1] / "vscode" / "driver"))

from code_server import EXTENSION, CodeServer, find_browser, wait_until
from code_window import Window
from example_text import TEXT

SIZE = {"width": 860, "height": 500}
SETTINGS = {
    "editor.fontSize": 15,
    "editor.lineHeight": 22,
    "editor.occurrencesHighlight": "off",
    "parrotlet.suggestion.eagerness": "eager",
    "workbench.activityBar.location": "hidden",
    "workbench.colorTheme": "Default Dark Modern",
    "window.commandCenter": False,
    "workbench.layoutControl.enabled": False,
}


def main(folder):
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        code_server = CodeServer(
            Path(home) / "vscode", SETTINGS, packages=[EXTENSION / "parrotlet.vsix"]
        )
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        project = Path(home) / "project"
        project.mkdir()
        window = Window(code_server, browser.new_page(viewport=SIZE), project)
        take_screenshots(window, folder)
        browser.close()
        code_server.close()


def take_screenshots(window, folder):
    window.run_command("workbench.action.closeSidebar")
    window.open_file(f"{TEXT}|\n", "test_stack.py")
    window.wait_until_ready()
    window.press("Enter")
    window.page.wait_for_timeout(500)
    window.press("Alt+\\")
    wait_until(lambda: window.ghost, lambda: window.description)
    window.wait_until_ready()
    window.page.wait_for_timeout(1000)
    window.page.screenshot(path=folder / "ghost-text.png")
    window.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status a").click()
    window.page.locator(".quick-input-list").get_by_text("Snooze…").wait_for()
    window.page.wait_for_timeout(500)
    window.page.screenshot(path=folder / "menu.png")
    window.page.wait_for_timeout(500)
    window.press("Escape")
    window.run_command("workbench.action.focusActiveEditorGroup")
    window.type("self.nothing_known = ")
    window.page.wait_for_timeout(1500)
    window.run_command("parrotlet.whyNothing")
    window.wait_for_page("Why is nothing shown?")
    window.page.wait_for_timeout(1000)
    window.page.screenshot(path=folder / "why.png")
    for _ in range(2):
        window.run_command("workbench.action.revertAndCloseActiveEditor")
    window.run_command("parrotlet.openWalkthrough")
    window.page.locator(".getting-started-step .step-title").first.wait_for()
    window.page.wait_for_timeout(1500)
    window.page.screenshot(path=folder / "walkthrough.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
