"""Small problems on lists."""


def last_item(items: list[int], default: int) -> int:
    """Return the last of items, or default if there are none."""
    return items[-1] if items else default


def check_last_item(candidate):
    assert candidate([1, 2, 3], 0) == 3
    assert candidate([], 7) == 7


def evens_only(numbers: list[int]) -> list[int]:
    """Return the even ones of numbers, in their order."""
    return [n for n in numbers if n % 2 == 0]


def check_evens_only(candidate):
    assert candidate([1, 2, 3, 4]) == [2, 4]
    assert candidate([0, -2, 5]) == [0, -2]
    assert candidate([1]) == []


def doubled(numbers: list[int]) -> list[int]:
    """Return a list with the double of each number."""
    return [2 * n for n in numbers]


def check_doubled(candidate):
    assert candidate([1, 2, 3]) == [2, 4, 6]
    assert candidate([]) == []
    assert candidate([-4]) == [-8]


def mean_of(numbers: list[float]) -> float:
    """Return the mean of numbers, or 0.0 if there are none."""
    if not numbers:
        return 0.0
    return sum(numbers) / len(numbers)


def check_mean_of(candidate):
    assert candidate([1, 2, 3]) == 2.0
    assert candidate([5]) == 5.0
    assert candidate([]) == 0.0


def count_of(items: list[int], wanted: int) -> int:
    """Return how many of items equal wanted."""
    return items.count(wanted)


def check_count_of(candidate):
    assert candidate([1, 2, 1, 1], 1) == 3
    assert candidate([1, 2], 5) == 0
    assert candidate([], 5) == 0


def without_first_and_last(items: list[int]) -> list[int]:
    """Return items without the first and the last one."""
    return items[1:-1]


def check_without_first_and_last(candidate):
    assert candidate([1, 2, 3, 4]) == [2, 3]
    assert candidate([1, 2]) == []
    assert candidate([]) == []


def index_of_largest(numbers: list[int]) -> int:
    """Return the index of the largest number, the first one if there are several."""
    return numbers.index(max(numbers))


def check_index_of_largest(candidate):
    assert candidate([3, 9, 2]) == 1
    assert candidate([5, 5]) == 0
    assert candidate([1, 2, 3]) == 2


def are_met_before(items: list[int]) -> list[bool]:
    """Return for each item whether an equal one stands before it."""
    return [item in items[:place] for place, item in enumerate(items)]


def check_are_met_before(candidate):
    assert candidate([3, 1, 3, 2, 1]) == [False, False, True, False, True]
    assert candidate([]) == []
    assert candidate([7, 7, 7]) == [False, True, True]


def pairwise_sums(numbers: list[int]) -> list[int]:
    """Return the sum of each number and the one behind it: [1, 2, 5] gives [3, 7]."""
    return [a + b for a, b in zip(numbers, numbers[1:])]


def check_pairwise_sums(candidate):
    assert candidate([1, 2, 5]) == [3, 7]
    assert candidate([1]) == []
    assert candidate([]) == []


def both_ends(items: list[int]) -> list[int]:
    """Return a list of the first and the last of at least two items."""
    return [items[0], items[-1]]


def check_both_ends(candidate):
    assert candidate([1, 2, 3, 4]) == [1, 4]
    assert candidate([5, 6]) == [5, 6]


def flatten_once(lists: list[list[int]]) -> list[int]:
    """Return the items of all the lists in one list."""
    return [item for items in lists for item in items]


def check_flatten_once(candidate):
    assert candidate([[1, 2], [], [3]]) == [1, 2, 3]
    assert candidate([]) == []


def is_sorted_list(numbers: list[int]) -> bool:
    """Return True if no number is smaller than the one before it."""
    return numbers == sorted(numbers)


def check_is_sorted_list(candidate):
    assert candidate([1, 2, 2, 5]) is True
    assert candidate([2, 1]) is False
    assert candidate([]) is True


def positives_first(numbers: list[int]) -> list[int]:
    """Return the positive numbers in their order, and behind them all others in theirs."""
    return [n for n in numbers if n > 0] + [n for n in numbers if n <= 0]


def check_positives_first(candidate):
    assert candidate([-1, 2, 0, 3]) == [2, 3, -1, 0]
    assert candidate([]) == []
    assert candidate([5, -5]) == [5, -5]


def any_negative(numbers: list[int]) -> bool:
    """Return True if one of numbers is negative."""
    return any(n < 0 for n in numbers)


def check_any_negative(candidate):
    assert candidate([1, -2]) is True
    assert candidate([0, 3]) is False
    assert candidate([]) is False


def running_total(numbers: list[int]) -> list[int]:
    """Return the sum of the numbers so far, at each place: [1, 2, 3] gives [1, 3, 6]."""
    totals = []
    total = 0
    for n in numbers:
        total += n
        totals.append(total)
    return totals


def check_running_total(candidate):
    assert candidate([1, 2, 3]) == [1, 3, 6]
    assert candidate([5, -5, 2]) == [5, 0, 2]
    assert candidate([]) == []
