"""The text that the screenshots of both editors show."""

TEXT = """\
import unittest


class TestStack(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()

    def test_push(self):
        self.stack.push(1)
        self.assertEqual(self.stack.size(), 1)

    def test_pop(self):"""
