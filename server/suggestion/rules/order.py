"""All rules in the order in which they apply: pure functions, each with a name.

A rule receives a suggestion and its cursor's context, and returns it unchanged, changed or empty.
The suggestion records the name of each rule that changed it, so that "Why is nothing shown?" has an
answer; the names appear in the event log. How far a suggestion extends was decided before, by
:mod:`server.suggestion.extent`. Called by :mod:`server.suggestion.postprocessing`.
"""

from collections.abc import Callable
from dataclasses import replace

from server.suggestion.cursor_context import CursorContext
from server.suggestion.result import Suggestion
from server.suggestion.rules.ends import (
    broken_character,
    end_of_scope,
    indentation,
    trailing_space,
    unfinished_line,
)
from server.suggestion.rules.fitting import (
    closes_brackets,
    covers_closers,
    inside_name,
    looks_like_a_secret,
    trivial,
    unfitting,
)
from server.suggestion.rules.repeats import (
    copies_above,
    loop,
    repeats_above,
    repeats_behind,
    repeats_below,
    stands_behind,
)

Rule = Callable[[Suggestion, CursorContext], Suggestion]

RULES: tuple[Rule, ...] = (
    end_of_scope,
    unfinished_line,
    broken_character,
    trailing_space,
    indentation,
    loop,
    stands_behind,
    repeats_behind,
    repeats_above,
    copies_above,
    repeats_below,
    trailing_space,
    looks_like_a_secret,
    covers_closers,
    closes_brackets,
    unfitting,
    stands_behind,
    inside_name,
    trivial,
)


def apply_rules(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Applies all rules in order; an empty text means that nothing is shown."""
    for rule in RULES:
        changed = rule(suggestion, cursor)
        if (changed.text, changed.covered) != (suggestion.text, suggestion.covered):
            changed = replace(changed, rules=(*suggestion.rules, rule.__name__))
        suggestion = changed
        if not suggestion.text:
            break
    return suggestion
