"""Small problems on numbers."""


def half_rounded_up(n: int) -> int:
    """Return half of n, rounded up."""
    return (n + 1) // 2


def check_half_rounded_up(candidate):
    assert candidate(4) == 2
    assert candidate(5) == 3
    assert candidate(0) == 0


def is_between(value: float, low: float, high: float) -> bool:
    """Return True if value is at least low and at most high."""
    return low <= value <= high


def check_is_between(candidate):
    assert candidate(5, 1, 10) is True
    assert candidate(1, 1, 10) is True
    assert candidate(10, 1, 10) is True
    assert candidate(11, 1, 10) is False
    assert candidate(0.5, 1, 10) is False


def sum_of_digits(n: int) -> int:
    """Return the sum of the decimal digits of a number that is not negative."""
    return sum(int(digit) for digit in str(n))


def check_sum_of_digits(candidate):
    assert candidate(123) == 6
    assert candidate(0) == 0
    assert candidate(9999) == 36


def fahrenheit(celsius: float) -> float:
    """Return a temperature in degrees Fahrenheit: nine fifths of it, and 32."""
    return celsius * 9 / 5 + 32


def check_fahrenheit(candidate):
    assert abs(candidate(0) - 32) < 1e-9
    assert abs(candidate(100) - 212) < 1e-9
    assert abs(candidate(-40) + 40) < 1e-9


def sum_up_to(n: int) -> int:
    """Return 1 + 2 + ... + n, and 0 if n is less than 1."""
    return sum(range(1, n + 1))


def check_sum_up_to(candidate):
    assert candidate(4) == 10
    assert candidate(1) == 1
    assert candidate(0) == 0
    assert candidate(-3) == 0


def count_multiples(limit: int, divisor: int) -> int:
    """Return how many numbers from 1 to limit (with limit) are multiples of divisor."""
    return limit // divisor


def check_count_multiples(candidate):
    assert candidate(10, 3) == 3
    assert candidate(10, 5) == 2
    assert candidate(2, 7) == 0


def larger_of_three(a: int, b: int, c: int) -> int:
    """Return the largest of three numbers."""
    return max(a, b, c)


def check_larger_of_three(candidate):
    assert candidate(1, 2, 3) == 3
    assert candidate(7, 2, 3) == 7
    assert candidate(-5, -2, -3) == -2


def absolute_difference(a: int, b: int) -> int:
    """Return how far a and b are apart, never negative."""
    return abs(a - b)


def check_absolute_difference(candidate):
    assert candidate(3, 8) == 5
    assert candidate(8, 3) == 5
    assert candidate(-1, 1) == 2


def is_shop_open(weekday: int, hour: int) -> bool:
    """Return True from 9 until before 17 o'clock, on weekdays 1 to 5."""
    return weekday in range(1, 6) and hour in range(9, 17)


def check_is_shop_open(candidate):
    assert candidate(1, 9) is True
    assert candidate(5, 16) is True
    assert candidate(5, 17) is False
    assert candidate(6, 12) is False
    assert candidate(3, 8) is False


def smallest_divisor(n: int) -> int:
    """Return the smallest number above 1 that divides n, where n is at least 2."""
    divisor = 2
    while n % divisor != 0:
        divisor += 1
    return divisor


def check_smallest_divisor(candidate):
    assert candidate(2) == 2
    assert candidate(9) == 3
    assert candidate(35) == 5
    assert candidate(13) == 13


def seconds_of(hours: int, minutes: int) -> int:
    """Return how many seconds the given hours and minutes are together."""
    return hours * 3600 + minutes * 60


def check_seconds_of(candidate):
    assert candidate(1, 0) == 3600
    assert candidate(0, 2) == 120
    assert candidate(2, 30) == 9000


def power_of_two_above(n: int) -> int:
    """Return the smallest power of two that is larger than n, where n is at least 0."""
    power = 1
    while power <= n:
        power *= 2
    return power


def check_power_of_two_above(candidate):
    assert candidate(0) == 1
    assert candidate(1) == 2
    assert candidate(5) == 8
    assert candidate(8) == 16


def clamp_percent(value: float) -> float:
    """Return value, but 0 if it is less and 100 if it is more."""
    return max(0, min(100, value))


def check_clamp_percent(candidate):
    assert candidate(50) == 50
    assert candidate(-1) == 0
    assert candidate(140.5) == 100


def count_down(n: int) -> list[int]:
    """Return the numbers from n down to 1."""
    return list(range(n, 0, -1))


def check_count_down(candidate):
    assert candidate(3) == [3, 2, 1]
    assert candidate(1) == [1]
    assert candidate(0) == []
