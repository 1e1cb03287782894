"""The smallest problems: the signature almost states the one line that solves them."""


def double(number: int) -> int:
    """Return the number times two."""
    return number * 2


def check_double(candidate):
    assert candidate(4) == 8
    assert candidate(0) == 0
    assert candidate(-3) == -6


def difference(a: int, b: int) -> int:
    """Return a minus b."""
    return a - b


def check_difference(candidate):
    assert candidate(5, 3) == 2
    assert candidate(3, 5) == -2


def rectangle_area(width: float, height: float) -> float:
    """Return the area of a rectangle."""
    return width * height


def check_rectangle_area(candidate):
    assert candidate(3, 4) == 12
    assert candidate(0.5, 4) == 2


def is_longer(text: str, other: str) -> bool:
    """Return True if text has more characters than other."""
    return len(text) > len(other)


def check_is_longer(candidate):
    assert candidate("abc", "ab") is True
    assert candidate("ab", "abc") is False
    assert candidate("ab", "cd") is False


def final_item(items: list) -> object:
    """Return the last item of a list."""
    return items[-1]


def check_final_item(candidate):
    assert candidate([1, 2, 3]) == 3
    assert candidate(["a"]) == "a"


def number_of_items(items: list) -> int:
    """Return how many items a list has."""
    return len(items)


def check_number_of_items(candidate):
    assert candidate([]) == 0
    assert candidate([7, 7]) == 2


def in_upper_case(text: str) -> str:
    """Return the text in upper case."""
    return text.upper()


def check_in_upper_case(candidate):
    assert candidate("abc") == "ABC"
    assert candidate("") == ""


def without_spaces_around(text: str) -> str:
    """Return the text without white space at its beginning and end."""
    return text.strip()


def check_without_spaces_around(candidate):
    assert candidate("  a b ") == "a b"
    assert candidate("") == ""


def joined_by_commas(words: list) -> str:
    """Return the words in one text, with a comma between them."""
    return ",".join(words)


def check_joined_by_commas(candidate):
    assert candidate(["a", "b", "c"]) == "a,b,c"
    assert candidate([]) == ""


def words_of(text: str) -> list:
    """Return the words of a text, split at white space."""
    return text.split()


def check_words_of(candidate):
    assert candidate("one two  three") == ["one", "two", "three"]
    assert candidate("") == []


def sum_of_items(numbers: list) -> int:
    """Return the sum of the numbers."""
    return sum(numbers)


def check_sum_of_items(candidate):
    assert candidate([1, 2, 3]) == 6
    assert candidate([]) == 0


def sorted_items(items: list) -> list:
    """Return the items in a new list, sorted."""
    return sorted(items)


def check_sorted_items(candidate):
    assert candidate([3, 1, 2]) == [1, 2, 3]
    assert candidate([]) == []


def has_key(mapping: dict, key: str) -> bool:
    """Return True if the mapping has the key."""
    return key in mapping


def check_has_key(candidate):
    assert candidate({"a": 1}, "a") is True
    assert candidate({"a": 1}, "b") is False


def value_or_default(mapping: dict, key: str, default: int) -> int:
    """Return the mapping's value for the key, or the default if it has none."""
    return mapping.get(key, default)


def check_value_or_default(candidate):
    assert candidate({"a": 1}, "a", 5) == 1
    assert candidate({"a": 1}, "b", 5) == 5


def is_above_zero(number: float) -> bool:
    """Return True if the number is greater than zero."""
    return number > 0


def check_is_above_zero(candidate):
    assert candidate(0.5) is True
    assert candidate(0) is False
    assert candidate(-1) is False


def squares(numbers: list) -> list:
    """Return a list with the square of each number."""
    return [number**2 for number in numbers]


def check_squares(candidate):
    assert candidate([1, 2, 3]) == [1, 4, 9]
    assert candidate([]) == []
    assert candidate([-2]) == [4]
