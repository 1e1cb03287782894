"""The details page, the extension's own pages, settings, and pickers."""

import json
import re

import pytest
from code_server import EXTENSION, wait_until
from playwright.sync_api import Error

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LEAST_CONTRAST = 4.5  # of text, by WCAG 2.2, level AA
LEAST_OUTLINE_CONTRAST = 3
STYLE = """(node) => {
  const style = getComputedStyle(node);
  return [style.color, style.backgroundColor].map((color) => color.match(/[\\d.]+/g).map(Number));
}"""


def find_frame(window, selector):
    """Returns the frame that contains a selector, once there is one."""

    def frame():
        for one in window.page.frames:
            try:
                if one.locator(selector).count():
                    return one
            except Error:  # the frame is being replaced
                continue
        return None

    return wait_until(frame, f"a page with {selector}")


def compute_luminance(color):
    parts = [part / 255 for part in color[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def compute_contrast(one, other):
    light, dark = sorted((compute_luminance(one), compute_luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_details_page_has_no_broken_images(window):
    """If it fails, the first thing that users see of the extension is broken."""
    window.call_api("void vscode.commands.executeCommand('extension.open', 'parrotlet.parrotlet')")
    frame = find_frame(window, "h1:has-text('Parrotlet for VS Code')")
    broken = "() => [...document.images].filter((one) => one.naturalWidth === 0).length"
    window.page.wait_for_timeout(500)
    assert frame.evaluate(broken) == 0
    assert "ghost text: Tab accepts it" in frame.locator("pre").first.inner_text()
    hidden = "a:not([href]):not(#scroll-to-top)"  # links that VS Code has removed
    assert frame.locator(hidden).count() == 0


@pytest.mark.parametrize(
    "theme", ["Default Dark Modern", "Default Light Modern", "Default High Contrast"]
)
def test_buttons_of_pages_look_like_buttons(window, theme):
    """If it fails, buttons look like text."""
    window.change_setting("workbench.colorTheme", theme)
    window.run_command("parrotlet.showStatistics")
    window.wait_for_page("Statistics")
    frame = find_frame(window, "a.button")
    window.page.wait_for_timeout(500)  # until the theme is applied
    text, background = frame.locator("a.button").first.evaluate(STYLE)
    border = frame.locator("a.button").first.evaluate(
        "(node) => getComputedStyle(node).borderColor.match(/[\\d.]+/g).map(Number)"
    )
    page = frame.locator("body").evaluate(
        "() => getComputedStyle(document.documentElement)"
        ".getPropertyValue('--vscode-editor-background').match(/\\w\\w/g)"
        ".map((part) => parseInt(part, 16))"
    )
    seen = background if len(background) == 3 or background[3] > 0 else page
    assert compute_contrast(text, seen) >= LEAST_CONTRAST
    assert (
        max(compute_contrast(seen, page), compute_contrast(border, page)) >= 3
    )  # its outline against the page


def test_open_settings_shows_only_this_extensions_settings(window):
    """If it fails, "Open Settings" lists settings of other extensions."""
    window.run_command("parrotlet.openSettings")
    labels = window.page.locator(".settings-editor .setting-item-category")
    labels.first.wait_for()
    found = labels.all_inner_texts()
    assert found
    assert all(label.startswith("Parrotlet") for label in found), found
    names = window.page.locator(".settings-editor .setting-item-label").all_inner_texts()
    assert not [name for name in names if "_" in name or re.match("[a-z]", name)], names


@pytest.mark.parametrize(
    "command", ["menu", "snooze", "chooseExtent", "chooseEagerness", "chooseModel", "installServer"]
)
def test_commands_with_an_ellipsis_open_a_picker(window, command):
    """If it fails, a title promises a question that never comes."""
    window.start_command(f"parrotlet.{command}")
    assert window.choices
    window.press("Escape")


def test_keys_for_parts_have_vs_codes_own_conditions(window):
    """If it fails, Ctrl+Right inserts text where VS Code's own key moves the cursor."""
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    bindings = manifest["contributes"]["keybindings"]
    (ours,) = [one for one in bindings if one["command"] == "parrotlet.acceptWord"]
    window.run_command("workbench.action.openDefaultKeybindingsFile")
    of_vs_code = (
        "return vscode.workspace.textDocuments.find((one) => one.uri.path.endsWith('keybindings"
        ".json'))?.getText()"
    )
    text = wait_until(lambda: window.call_api(of_vs_code), "VS Code's own keys")
    theirs = re.search(
        r'"key": "([^"]+)",\s+"command": "editor.action.inlineSuggest.acceptNextWord",'
        r'\s+"when": "([^"]+)"',
        text,
    )
    assert ours["key"] == theirs[1]
    assert set(theirs[2].split(" && ")) <= set(ours["when"].split(" && "))


def test_arrow_keys_move_the_cursor_with_a_screen_reader(window, model):
    """If it fails, people who cannot see ghost text insert it while they read."""
    window.change_setting("editor.accessibilitySupport", "on")
    try:
        model.rules = [("mine = ", "yours")]
        window.open_file("|\nnext line\n", "reader.py")
        window.type("mine = ")
        # VS Code now reads the cursor back from the page, and drops a request if that takes long.
        window.ask_for_ghost("yours")
        window.press("Control+ArrowRight")
        wait_until(lambda: window.cursor == (1, 4), lambda: window.cursor)
        window.wait_for_text("mine = \nnext line\n")
    finally:
        window.change_setting("editor.accessibilitySupport", "off")  # later tests share the window
