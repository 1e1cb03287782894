"""What the README shows is what the commands take."""

import re
from pathlib import Path

from training.artifact.schema import load_toml
from training.corpus.config import CorpusConfig
from training.corpus.quality import QualityRules

README = Path(__file__).parents[2] / "README.md"


def test_the_corpus_config_it_shows_loads(tmp_path):
    """If it fails, the first thing that a team copies is refused."""
    shown = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    for number, text in enumerate(shown):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        config = load_toml(CorpusConfig, path)
        levels = QualityRules.of(config.quality)
        assert levels.level("any", {"stars": 500.0, "has_tests": 1.0}) == "high"
        assert levels.level("any", {"stars": 500.0}) == "low"
