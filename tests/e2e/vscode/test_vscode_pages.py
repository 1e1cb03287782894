"""The first impression: the details page, the extension's own pages, settings, and pickers."""

import re

import pytest
from code_server import EXTENSION, until
from playwright.sync_api import Error

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA
STYLE = """(node) => {
  const style = getComputedStyle(node);
  return [style.color, style.backgroundColor].map((color) => color.match(/[\\d.]+/g).map(Number));
}"""


def frame_with(window, selector):
    """Returns the frame of a page that holds this, once there is one."""

    def frame():
        for one in window.page.frames:
            try:
                if one.locator(selector).count():
                    return one
            except Error:  # it is being replaced
                continue
        return None

    return until(frame, f"a page with {selector}")


def luminance(color):
    parts = [part / 255 for part in color[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_details_page_shows_no_broken_picture(window):
    """If it fails, the first thing that users see of the extension is broken."""
    window.api("void vscode.commands.executeCommand('extension.open', 'parrotlet.parrotlet')")
    frame = frame_with(window, "h1:has-text('Parrotlet for VS Code')")
    broken = "() => [...document.images].filter((one) => one.naturalWidth === 0).length"
    window.page.wait_for_timeout(500)
    assert frame.evaluate(broken) == 0
    assert "ghost text: Tab accepts it" in frame.locator("pre").first.inner_text()
    hidden = "a:not([href]):not(#scroll-to-top)"  # links that the page has taken away
    assert frame.locator(hidden).count() == 0


@pytest.mark.parametrize(
    "theme", ["Default Dark Modern", "Default Light Modern", "Default High Contrast"]
)
def test_buttons_of_pages_look_like_buttons(window, theme):
    """If it fails, what can be clicked cannot be told from text."""
    window.set("workbench.colorTheme", theme)
    window.run("parrotlet.showStatistics")
    window.page_says("Statistics")
    frame = frame_with(window, "a.button")
    window.page.wait_for_timeout(500)  # the theme's colours
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
    assert contrast(text, seen) >= LEAST_CONTRAST
    assert max(contrast(seen, page), contrast(border, page)) >= 3  # its shape against the page


def test_settings_are_this_extensions_alone(window):
    """If it fails, "Open Settings" lists settings of other extensions."""
    window.run("parrotlet.openSettings")
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
def test_what_ends_in_dots_opens_a_picker(window, command):
    """If it fails, a title promises a question that never comes."""
    window.start(f"parrotlet.{command}")
    assert window.choices
    window.press("Escape")


def test_parts_are_accepted_as_by_vscodes_own_keys(window):
    """If it fails, Ctrl+Right inserts text where VS Code's own key moves the cursor."""
    manifest = (EXTENSION / "package.json").read_text(encoding="utf-8")
    ours = re.search(r'"parrotlet.acceptWord",\s+"key": "([^"]+)"[^}]+"when": "([^"]+)"', manifest)
    window.run("workbench.action.openDefaultKeybindingsFile")
    of_vs_code = (
        "return vscode.workspace.textDocuments.find((one) => one.uri.path.endsWith('keybindings"
        ".json'))?.getText()"
    )
    text = until(lambda: window.api(of_vs_code), "VS Code's own keys")
    theirs = re.search(
        r'"key": "([^"]+)",\s+"command": "editor.action.inlineSuggest.acceptNextWord",'
        r'\s+"when": "([^"]+)"',
        text,
    )
    assert ours[1] == theirs[1]
    assert set(theirs[2].split(" && ")) <= set(ours[2].split(" && "))


def test_with_a_screen_reader_cursor_keys_move_the_cursor(window, model):
    """If it fails, people who cannot see ghost text insert it while they read."""
    window.set("editor.accessibilitySupport", "on")
    try:
        model.rules = [("mine = ", "yours")]
        window.open("|\nnext line\n", "reader.py")
        window.type("mine = ")
        window.sees("yours")
        window.press("Control+ArrowRight")
        until(lambda: window.cursor == (1, 4), lambda: window.cursor)
        window.holds("mine = \nnext line\n")
    finally:
        window.set("editor.accessibilitySupport", "off")  # the tests behind share the window
