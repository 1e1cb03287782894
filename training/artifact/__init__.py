"""What a trained model is: directory format, tokenizer, FIM layout, network.

The one definition that training writes and that server and evaluation read. Nothing in here knows
how a model is trained or served: no accelerate, no datasets, no pygls.
"""
