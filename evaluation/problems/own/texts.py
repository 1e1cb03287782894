"""Small problems about strings."""


def shout(word: str) -> str:
    """Return word in upper case with an exclamation mark behind it."""
    return word.upper() + "!"


def check_shout(candidate):
    assert candidate("hello") == "HELLO!"
    assert candidate("Fire") == "FIRE!"
    assert candidate("") == "!"


def count_vowels(text: str) -> int:
    """Return how many of the letters a, e, i, o, u are in text, in lower or upper case."""
    return sum(1 for char in text.lower() if char in "aeiou")


def check_count_vowels(candidate):
    assert candidate("banana") == 3
    assert candidate("AEIOU xyz") == 5
    assert candidate("rhythm") == 0
    assert candidate("") == 0


def is_palindrome_word(word: str) -> bool:
    """Return True if word reads the same from both ends."""
    return word == word[::-1]


def check_is_palindrome_word(candidate):
    assert candidate("level") is True
    assert candidate("noon") is True
    assert candidate("python") is False
    assert candidate("") is True


def first_word(sentence: str) -> str:
    """Return the first word of sentence, or an empty string if there is none."""
    words = sentence.split()
    return words[0] if words else ""


def check_first_word(candidate):
    assert candidate("good morning all") == "good"
    assert candidate("  spaced out") == "spaced"
    assert candidate("") == ""
    assert candidate("   ") == ""


def initials(name: str) -> str:
    """Return the first letter of each word of name, in upper case: "ada lovelace" gives "AL"."""
    return "".join(word[0].upper() for word in name.split())


def check_initials(candidate):
    assert candidate("ada lovelace") == "AL"
    assert candidate("John Ronald Reuel Tolkien") == "JRRT"
    assert candidate("plato") == "P"
    assert candidate("") == ""


def remove_spaces(text: str) -> str:
    """Return text without its spaces."""
    return text.replace(" ", "")


def check_remove_spaces(candidate):
    assert candidate("a b c") == "abc"
    assert candidate("  x  ") == "x"
    assert candidate("none") == "none"


def repeat_with_dashes(word: str, times: int) -> str:
    """Return word repeated, with a dash between each two: ("ho", 3) gives "ho-ho-ho"."""
    return "-".join([word] * times)


def check_repeat_with_dashes(candidate):
    assert candidate("ho", 3) == "ho-ho-ho"
    assert candidate("x", 1) == "x"
    assert candidate("y", 0) == ""


def longest_word(sentence: str) -> str:
    """Return the longest word of sentence; the first one if several are as long."""
    return max(sentence.split(), key=len)


def check_longest_word(candidate):
    assert candidate("a bb ccc dd") == "ccc"
    assert candidate("one two") == "one"
    assert candidate("elephants walk") == "elephants"


def count_lines(text: str) -> int:
    """Return how many lines of text are not blank."""
    return sum(1 for line in text.splitlines() if line.strip())


def check_count_lines(candidate):
    assert candidate("a\nb\n") == 2
    assert candidate("a\n\n  \nb") == 2
    assert candidate("") == 0


def swap_ends(word: str) -> str:
    """Return word with its first and last letter exchanged; shorter words stay as they are."""
    if len(word) < 2:
        return word
    return word[-1] + word[1:-1] + word[0]


def check_swap_ends(candidate):
    assert candidate("stop") == "ptos"
    assert candidate("ab") == "ba"
    assert candidate("a") == "a"
    assert candidate("") == ""


def is_shouting(text: str) -> bool:
    """Return True if text has letters and all of them are in upper case."""
    return text.isupper()


def check_is_shouting(candidate):
    assert candidate("STOP!") is True
    assert candidate("Stop!") is False
    assert candidate("123") is False


def digits_of(text: str) -> str:
    """Return only the digits of text, in their order."""
    return "".join(char for char in text if char.isdigit())


def check_digits_of(candidate):
    assert candidate("a1b22c") == "122"
    assert candidate("tel. 030-12") == "03012"
    assert candidate("none") == ""


def file_extension(name: str) -> str:
    """Return what follows the last dot of a file name, or an empty string without a dot."""
    if "." not in name:
        return ""
    return name.rsplit(".", maxsplit=1)[-1]


def check_file_extension(candidate):
    assert candidate("notes.txt") == "txt"
    assert candidate("archive.tar.gz") == "gz"
    assert candidate("README") == ""


def censor(text: str, word: str) -> str:
    """Return text with each occurrence of word replaced by as many stars as it has letters."""
    return text.replace(word, "*" * len(word))


def check_censor(candidate):
    assert candidate("darn it, darn", "darn") == "**** it, ****"
    assert candidate("fine", "darn") == "fine"
