"""From source code to a trained model: corpus, tokenizer, shards, pretraining, publishing."""
