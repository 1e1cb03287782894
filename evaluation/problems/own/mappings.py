"""Small problems on mappings and sets."""


def invert(mapping: dict[str, int]) -> dict[int, str]:
    """Return the mapping from values to keys."""
    return {value: key for key, value in mapping.items()}


def check_invert(candidate):
    assert candidate({"a": 1, "b": 2}) == {1: "a", 2: "b"}
    assert candidate({}) == {}


def letter_counts(text: str) -> dict[str, int]:
    """Return how often each character of text occurs."""
    counts = {}
    for char in text:
        counts[char] = counts.get(char, 0) + 1
    return counts


def check_letter_counts(candidate):
    assert candidate("abca") == {"a": 2, "b": 1, "c": 1}
    assert candidate("") == {}
    assert candidate("zz") == {"z": 2}


def total_price(prices: dict[str, float], basket: list[str]) -> float:
    """Return the sum of the prices of what is in the basket."""
    return sum(prices[item] for item in basket)


def check_total_price(candidate):
    prices = {"tea": 2.0, "cake": 3.5}
    assert candidate(prices, ["tea", "cake", "tea"]) == 7.5
    assert candidate(prices, []) == 0


def keys_with_value(mapping: dict[str, int], wanted: int) -> list[str]:
    """Return the keys whose value is wanted, sorted."""
    return sorted(key for key, value in mapping.items() if value == wanted)


def check_keys_with_value(candidate):
    assert candidate({"b": 1, "a": 1, "c": 2}, 1) == ["a", "b"]
    assert candidate({"a": 1}, 3) == []


def common_items(first: list[int], second: list[int]) -> list[int]:
    """Return what is in both lists, each once, sorted."""
    return sorted(set(first) & set(second))


def check_common_items(candidate):
    assert candidate([3, 1, 2], [2, 3, 9]) == [2, 3]
    assert candidate([1, 1], [1]) == [1]
    assert candidate([1], []) == []


def merge_counts(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    """Return the counts of both, added where a key is in both."""
    merged = dict(first)
    for key, count in second.items():
        merged[key] = merged.get(key, 0) + count
    return merged


def check_merge_counts(candidate):
    assert candidate({"a": 1}, {"a": 2, "b": 5}) == {"a": 3, "b": 5}
    assert candidate({}, {"x": 1}) == {"x": 1}
    assert candidate({"x": 1}, {}) == {"x": 1}


def key_of_largest(scores: dict[str, int]) -> str:
    """Return the key with the largest value."""
    return max(scores, key=scores.get)


def check_key_of_largest(candidate):
    assert candidate({"ann": 3, "bob": 9, "cy": 1}) == "bob"
    assert candidate({"x": 0}) == "x"


def has_duplicates(items: list[int]) -> bool:
    """Return True if an item occurs twice."""
    return len(items) != len(set(items))


def check_has_duplicates(candidate):
    assert candidate([1, 2, 1]) is True
    assert candidate([1, 2, 3]) is False
    assert candidate([]) is False


def group_by_length(words: list[str]) -> dict[int, list[str]]:
    """Return the words of each length, in their order."""
    groups = {}
    for word in words:
        groups.setdefault(len(word), []).append(word)
    return groups


def check_group_by_length(candidate):
    assert candidate(["a", "bb", "c"]) == {1: ["a", "c"], 2: ["bb"]}
    assert candidate([]) == {}


def missing_from(wanted: list[str], stock: list[str]) -> list[str]:
    """Return what is wanted and not in stock, in the order of wanted."""
    return [item for item in wanted if item not in stock]


def check_missing_from(candidate):
    assert candidate(["tea", "milk", "jam"], ["milk"]) == ["tea", "jam"]
    assert candidate(["a"], ["a"]) == []


def parse_settings(text: str) -> dict[str, str]:
    """Return the settings of lines such as "name=value"; lines without "=" are left out."""
    settings = {}
    for line in text.splitlines():
        if "=" in line:
            name, value = line.split("=", 1)
            settings[name.strip()] = value.strip()
    return settings


def check_parse_settings(candidate):
    assert candidate("a=1\nb = two\n") == {"a": "1", "b": "two"}
    assert candidate("nothing\nx=y=z") == {"x": "y=z"}
    assert candidate("") == {}
